// Strings, objects, closures, maps, JSON and regular expressions.
const words = [], people = {};
for (let i = 0; i < 400; i++) words.push('w' + (i * 7919 % 1009).toString(36));
class Person { constructor(name, age) { this.name = name; this.age = age; this.tags = []; } get key() { return this.name + ':' + this.age; } }
let hash = 0;
for (let r = 0; r < 25; r++) {
  for (const w of words) {
    const p = people[w] ??= new Person(w, r);
    p.tags.push(w.length + r);
    hash = (hash * 31 + p.key.length) | 0;
  }
  const text = JSON.stringify(Object.values(people).slice(0, 60));
  const back = JSON.parse(text);
  hash ^= back.map(p => p.tags.reduce((a, b) => a + b, 0)).filter(n => n % 2).length;
  const counts = new Map();
  for (const m of text.replace(/[\[\]{}"]/g, ' ').split(/[ ,:]+/)) counts.set(m, (counts.get(m) || 0) + 1);
  hash = (hash + [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[3][1]) | 0;
}
print(hash, Object.keys(people).length);
