"""The checks of this folder find what they are for: each is pointed at a small tree that is wrong
in one way."""

import pathlib
import shutil
import tempfile
import unittest

import documents
import examples
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

    def test_a_long_function(self):
        self.write('lib/memory/long.c', 'int f(void)\n{\n' + '    g();\n' * 81 + '}\n')
        self.finds(tree.check, 'long.c:1: a function of 81 lines')

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
        self.finds(documents.check, 'no row for code SHMF_E_INVAL', 'no code SHMF_E_OLD')

    def test_a_page_to_which_nothing_leads(self):
        self.write('README.md', '\n')
        self.write('docs/lost.md', '\n')
        self.finds(documents.check, 'docs/lost.md')

    ROWS = ('| header | what | module | tests | page |\n|---|---|---|---|---|\n'
            '| [base.h](x) | x | `base` | `unit/test_base.c` | x |\n')

    def reference(self, *rows):
        self.write('README.md', '[reference](docs/reference.md)\n')
        self.write('docs/reference.md', self.ROWS + ''.join(rows))
        self.write('test/unit/test_base.c', '')
        (self.root / 'lib/base/sys.c').touch()

    def test_a_header_and_a_module_without_a_row_and_rows_of_nothing(self):
        self.reference('| [old.h](x) | x | `pool` | `unit/test_old.c` | x |\n')
        self.write('include/shmframe/new.h', '')
        self.finds(documents.check, 'no row for header new.h', 'no header old.h', 'no row for module memory',
                   'no row for module share', 'no tests `unit/test_old.c`')

    def test_a_place_that_knows_dtypes_and_is_not_told(self):
        self.write('README.md', '[contributing](docs/contributing.md)\n')
        self.write('docs/contributing.md', '## Adding a dtype\n`lib/memory/old.c`\n## End\n')
        self.write('lib/memory/new.c', 'int a = SHMF_DURATION;\n')
        self.finds(documents.check, 'no row for place lib/memory/new.c', 'no place lib/memory/old.c')

    def test_a_module_that_the_design_leaves_out(self):
        self.write('README.md', '[design](docs/design.md)\n')
        self.write('docs/design.md', '## Modules\n\n```\nbase      x\nmemory    x\nold   x\npool   x\n```\n')
        self.finds(documents.check, 'no row for module share', 'no module old')

    def test_a_version_without_its_changes(self):
        path = self.root / 'CMakeLists.txt'
        path.write_text('project(x VERSION 0.2.1)\n' + path.read_text())
        self.write('README.md', '[changes](docs/changelog.md)\n')
        self.write('docs/changelog.md', '## 0.2.0\n')
        self.write('lib/shmframe.map', 'SHMFRAME_0.3 {\n};\n')
        self.finds(documents.check, 'nothing of 0.2.1', 'a node of 0.3')


class Examples(Tree):
    def example(self, text, index='[a.c](a.c)\n', built='add_executable(a a.c)\n'):
        self.write('examples/a.c', text)
        self.write('examples/README.md', index)
        self.write('examples/CMakeLists.txt', built)

    def test_an_example_in_order(self):
        self.example('/* A.\n * prints\n *\n *     1 */\n')
        self.finds(examples.check)

    def test_one_that_is_long_and_says_nothing_and_stands_nowhere(self):
        self.example('/* A. */\n' + '\n' * 150, '', '')
        self.finds(examples.check, 'more than 150 lines', 'does not say what it prints', 'no row', 'does not build')


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
