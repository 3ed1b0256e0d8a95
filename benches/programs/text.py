# JSON, regular expressions, dictionaries, comprehensions and string methods.
import json, re
from collections import Counter
people = [{'name': f'n{i * 7919 % 1009}', 'age': i % 90, 'tags': ['t%d' % (i % k) for k in (3, 5, 7)]} for i in range(600)]
total = Counter()
for _ in range(4):
    text = json.dumps(people)
    for p in json.loads(text):
        total[p['name'][:2]] += p['age']
    for word, number in re.findall(r'"(t|n)(\d+)"', text):
        total[word] += int(number)
    text = re.sub(r'\bt(\d)\b', lambda m: 'x' + m[1] * 2, text)
    by_age = {}
    for p in people:
        by_age.setdefault(p['age'], []).append(p['name'].upper())
    total['names'] += sum(len(','.join(sorted(names))) for names in by_age.values())
print(sorted(total.items())[:6], len(text))
