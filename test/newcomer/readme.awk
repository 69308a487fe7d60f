# Prints from a page the block of the language LANGUAGE that follows the heading AFTER.
index($0, "## " AFTER) == 1 || AFTER == "" { armed = 1 }
/^```/ && inside { exit }
inside { print }
armed && $0 == "```" LANGUAGE { inside = 1 }
