#!/bin/sh
# reference.sh ROOT SCRATCH: Doxygen finds everything public documented, and roff has nothing to say
# against the manual pages. Exit status 77: doxygen or groff is not here.
root=$1
scratch=$2
command -v doxygen >/dev/null && command -v groff >/dev/null || { echo 'needs doxygen and groff'; exit 77; }
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$root" || exit 1
DOXYGEN_OUTPUT=$scratch/doxygen doxygen docs/reference/Doxyfile 2>"$scratch/said" || exit 1
python3 -B docs/reference/man.py "$root" 0.0.0 2000-01-01 "$scratch/man" || exit 1
for page in "$scratch"/man/man*/*.gz; do
    gzip -dc "$page" >"$scratch/page"
    grep -q '^\.so ' "$scratch/page" && continue
    groff -K utf8 -t -man -Tutf8 -rLL=100n -wall -Wbreak -z "$scratch/page" 2>&1 |
        sed "s,^$scratch/page,$(basename "$page")," >>"$scratch/said"
done
if [ -s "$scratch/said" ]; then
    cat "$scratch/said"
    exit 1
fi
ls "$scratch"/man/man3 | wc -l
