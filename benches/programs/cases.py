# unittest: classes of tests made, loaded, run and reported, with subtests, mocks, failures and their tracebacks.
import io, unittest
from unittest import mock
def case(number):
    class Numbers(unittest.TestCase):
        def setUp(self):
            self.numbers = list(range(number, number + 20))
        def test_sum(self):
            self.assertEqual(sum(self.numbers), 20 * number + 190)
        def test_order(self):
            self.assertCountEqual(self.numbers, reversed(self.numbers))
            self.assertListEqual(sorted(self.numbers, reverse=True)[::-1], self.numbers)
        def test_each(self):
            for each in self.numbers:
                with self.subTest(each=each):
                    self.assertLess(each % 10, 9)
        def test_error(self):
            with self.assertRaisesRegex(ValueError, r'invalid literal .* 10: .x\d+.'):
                int(f'x{number}')
        def test_mock(self):
            taker = mock.Mock(return_value=number)
            self.assertEqual(taker(1, two=2), number)
            taker.assert_called_once_with(1, two=2)
        def test_difference(self):
            self.assertMultiLineEqual('\n'.join(map(str, self.numbers)), '\n'.join(str(n + n % 3) for n in self.numbers))
        @unittest.expectedFailure
        def test_expected(self):
            self.assertDictEqual({'a': number}, {'a': number + 1})
    Numbers.__qualname__ = f'Numbers{number}'
    return Numbers
suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case(number)) for number in range(30))
report = io.StringIO()
result = unittest.TextTestRunner(report, verbosity=2).run(suite)
print(result.testsRun, len(result.failures), len(result.errors), len(result.expectedFailures))
