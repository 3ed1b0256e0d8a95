# Regular expressions: compiled, as the compiler is in Python, and searched with backtracking, groups and look-around.
import re
words = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta', 'theta', 'iota', 'kappa', 'lambda', 'mu']
text = '\n'.join(f'{words[i % 12]}-{i * 7919 % 1009}: <{words[i % 7]}.{words[i % 5]}@{words[i % 11]}.org> 20{i % 90 + 10}-0{i % 9 + 1}-1{i % 10}'
                 for i in range(600))
patterns = [r'(\w+)-(\d+): <([\w.]+)@([\w.]+)>', r'(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)', r'\b(?=\w*eta)(?!theta)\w+\b',
            r'(a|b|ab)+c?', r'(?i)[A-F]{2,}\.', r'(?<=@)\w+(?=\.org)', r'(\w)\1', r'^(?:.*?-){2}.*$', '|'.join(sorted(words))]
total = 0
for turn in range(12):
    for pattern in patterns:
        compiled = re.compile(f'{pattern}|never{turn}', re.MULTILINE)
        total += sum(len(found.group()) for found in compiled.finditer(text))
print(total, len(re.sub(r'(\d+)', lambda found: f'{int(found[1]):x}', text)), len(re.split(r'[^\w]+', text)))
re.purge()
for turn in range(60):
    total += re.compile(rf'(?:{"|".join(words)}){{1,{turn + 2}}}[^a-f{turn}]*(?:x|y(?:z|[0-{turn % 9}]))?$').groups
print(total)
