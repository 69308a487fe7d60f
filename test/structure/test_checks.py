"""The checks of this folder find what they are for: each is pointed at a small tree that is wrong
in one way."""

import pathlib
import shutil
import tempfile
import unittest

import documents
import includes
import ownership
import source
import tree

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Tree(unittest.TestCase):
    """A copy of what the checks read, in which each test breaks one thing."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix='shmf-structure-'))
        self.addCleanup(shutil.rmtree, self.root)
        self.write('CMakeLists.txt', 'shmframe_module(base)\nshmframe_module(memory USES base)\n'
                                     'shmframe_module(share USES memory)\n'
                                     'shmframe_module(pool USES memory)\n')
        self.write('include/shmframe/base.h', '')
        self.write('lib/base/sys.h', ''.join(f'int (*{name})(void);\n'
                                             for name in ownership.OWNERS))
        for name in [*ownership.EXCEPTIONS, *tree.LONG]:
            if not name.endswith('/'):
                self.write(name, '')
        self.write('lib/memory/region.c', '#include "base/sys.h"\n#include <shmframe/memory.h>\n')

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def finds(self, check, *texts):
        problems = check(self.root)
        self.assertEqual(len(problems), len(texts), problems)
        for problem, text in zip(problems, texts):
            self.assertIn(text, problem)


class Includes(Tree):
    def check(self, *texts):
        self.finds(includes.check, *texts)

    def test_a_tree_in_order(self):
        self.check()

    def test_upward(self):
        self.write('lib/memory/up.c', '\n#include "pool/pool.h"\n')
        self.check('lib/memory/up.c:2: memory/ may not include "pool/pool.h"')

    def test_upward_by_a_public_header(self):
        self.write('lib/memory/up.c', '#include <shmframe/pool.h>\n')
        self.check('memory/ may not include <shmframe/pool.h>')

    def test_in_a_comment(self):
        self.write('lib/memory/up.c', '/*\n#include "pool/pool.h"\n*/\n')
        self.check()

    def test_without_the_module(self):
        self.write('lib/memory/up.c', '#include "region.h"\n')
        self.check('may not include "region.h"')

    def test_an_example_with_internals(self):
        self.write('examples/sum.c', '#include "memory/memory.h"\n#include <shmframe/pool.h>\n')
        self.check('examples/sum.c:1')

    def test_a_folder_outside_the_ladder(self):
        self.write('lib/other/x.c', '')
        self.check('lib/other')


class Ownership(Tree):
    def test_a_tree_in_order(self):
        self.finds(ownership.check)

    def test_a_call_past_the_table(self):
        self.write('lib/memory/bad.c', 'void f(void)\n{\n    free(0);\n}\n')
        self.finds(ownership.check, 'lib/memory/bad.c:3: free()')

    def test_a_call_in_words_only(self):
        self.write('lib/memory/fine.c', '/* free() is libc\'s */\nchar *s = "free()";\n')
        self.finds(ownership.check)

    def test_another_modules_call(self):
        self.write('lib/memory/bad.c', 'int f(void)\n{\n    return shmfi_sys.fork();\n}\n')
        self.finds(ownership.check, 'lib/memory/bad.c:3: fork belongs to')

    def test_an_entry_without_owner(self):
        path = self.root / 'lib/base/sys.h'
        path.write_text(path.read_text().replace('(*fork)(', '(*fork)(void);\nint (*spoon)('))
        self.finds(ownership.check, 'spoon has no owner')

    def test_an_excuse_for_nothing(self):
        (self.root / 'lib/pool/detach.c').unlink()
        self.finds(ownership.check, 'no lib/pool/detach.c to excuse')


class WholeTree(Tree):
    def test_a_tree_in_order(self):
        self.finds(tree.check)

    def test_a_long_file(self):
        self.write('lib/memory/long.c', '\n' * 501)
        self.finds(tree.check, 'long.c: 501 lines')

    def test_a_path_of_one_machine(self):
        self.write('docs/build.md', 'cd ' + '/ho' + 'me/me/shmframe\n')
        self.finds(tree.check, 'docs/build.md:1')

    def test_a_link_to_nothing(self):
        self.write('docs/a.md', '[b](b.md) [a](a.md#top) [web](https://example.org/x)\n')
        self.finds(tree.check, 'docs/a.md: there is no b.md')

    def test_a_stranger_at_the_top(self):
        self.write('notes.txt', '')
        self.finds(tree.check, 'notes.txt')


class Documents(Tree):
    def test_a_tree_in_order(self):
        self.write('include/shmframe/error.h', '    SHMF_E_INVAL = -1,\n')
        self.write('docs/errors.md', '| `SHMF_E_INVAL` | x |\n')
        self.write('README.md', '[errors](docs/errors.md)\n')
        self.finds(documents.check)

    def test_codes_without_a_row_and_rows_without_a_code(self):
        self.write('include/shmframe/error.h', '    SHMF_E_INVAL = -1,\n')
        self.write('docs/errors.md', '| `SHMF_E_OLD` | x |\n')
        self.finds(documents.check, 'no row for SHMF_E_INVAL', 'SHMF_E_OLD is no code')

    def test_a_page_to_which_nothing_leads(self):
        self.write('README.md', '\n')
        self.write('docs/lost.md', '\n')
        self.finds(documents.check, 'docs/lost.md')


class Source(unittest.TestCase):
    def test_comments_and_strings_are_blank_and_lines_stay(self):
        text = source.LEXEME.sub(source.blank, 'a /* b\n */ "c\\"d" \'"\' e // f\ng')
        self.assertEqual(text.split(), ['a', 'e', 'g'])
        self.assertEqual(text.count('\n'), 2)

    def test_the_ladder_is_closed(self):
        ladder = source.ladder(ROOT)
        self.assertIn('base', ladder['pool'])
        self.assertNotIn('pool', ladder['memory'])


if __name__ == '__main__':
    unittest.main()
