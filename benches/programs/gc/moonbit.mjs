// Compiles a MoonBit program to WasmGC with the compiler that runs in browsers, and with the core library beside it.
//   node moonbit.mjs PACKAGE SOURCE OUT      PACKAGE is the unpacked npm package @moonbit/moonpad-monaco
// The package has the library's sources, and its compiled form for JavaScript only. So the library is compiled first.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { runInThisContext } from 'node:vm';

const [, , place, source, out] = process.argv;
const LIBRARY = 'moonbit-core:/lib/core/';
const TARGET = 'wasm-gc';
const IMPORTED = ['prelude', 'builtin', 'json', 'bigint', 'immut/sorted_map'];

// The compiler is a worker, which takes calls as messages.
let worker;
const pending = new Map();
globalThis.require = createRequire(import.meta.url);
globalThis.addEventListener = (_, handler) => { worker = handler; };
globalThis.postMessage = message => pending.get(message.id)(message);
runInThisContext(readFileSync(`${place}/dist/moonc-worker.js`, 'utf8'));
const compiler = (name, parameters) => new Promise((resolve, reject) => {
  const id = `call ${pending.size}`;
  pending.set(id, message => message.type === 'RAW' ? resolve(message.value) : reject(new Error(`${name} failed`)));
  worker({ origin: '', data: { id, type: 'APPLY', path: [name], argumentList: [{ type: 'RAW', value: parameters }] } });
});
const build = async parameters => {
  const built = await compiler('buildPackage', {
    target: TARGET, errorFormat: 'human', enableValueTracing: false, noOpt: false, ...parameters,
  });
  if (!built.core) throw new Error(built.diagnostics.filter(text => !text.includes('Warning')).join(''));
  return built;
};

// The files of the library are base64 literals in the package's script.
const script = readFileSync(`${place}/dist/moonpad-monaco.js`, 'utf8');
const literals = new Map(Array.from(script.matchAll(/[ ,]([\w$]+) = d\("([A-Za-z0-9+/=]*)"\)/g), m => [m[1], m[2]]));
const files = new Map(Array.from(script.matchAll(/\["\/lib\/core\/([^"]*)"\] = ([\w$]+);/g), m => [m[1], m[2]]));
const text = path => Buffer.from(literals.get(files.get(path)), 'base64').toString();

const packages = JSON.parse(text('_build/packages.json')).packages;
const nameOf = one => `${one.root}/${one.rel}`;
const byName = new Map(packages.map(one => [nameOf(one), one]));
const pkgSources = packages.map(one => `${nameOf(one)}:${one['root-path']}`);
const built = new Map();
const interfaces = (some, alias) => some.map(one => [`/lib/core/${one.rel}:${alias(one)}`, built.get(one).mi]);
const known = () => [...built.keys()];
const last = one => one.rel.split('/').at(-1);

const compile = async one => {
  if (built.has(one)) return;
  const needed = new Map(one.deps.map(({ path, alias }) => [byName.get(path), alias]));
  for (const dependency of needed.keys()) await compile(dependency);
  const sources = Object.entries(one.files)
    .filter(([, { backend, optlevel }]) => backend.includes('WasmGC') && optlevel.includes('Release'))
    .map(([path]) => [path, text(path.slice(LIBRARY.length))]);
  built.set(one, await build({
    mbtFiles: sources,
    miFiles: interfaces([...needed.keys()], dependency => needed.get(dependency)),
    indirectImportMiFiles: interfaces(known().filter(other => !needed.has(other)), last),
    stdMiFiles: interfaces(known(), other => other.rel),
    pkg: nameOf(one), pkgSources, isMain: false,
  }));
};
for (const one of packages) await compile(one);

const isImported = one => IMPORTED.includes(one.rel);
pkgSources.unshift('main:moonbit-core:/main');
const main = await build({
  mbtFiles: [[basename(source), readFileSync(source, 'utf8')]],
  miFiles: interfaces(known().filter(isImported), last),
  indirectImportMiFiles: interfaces(known().filter(one => !isImported(one)), last),
  stdMiFiles: interfaces(known(), one => one.rel),
  pkg: 'main', pkgSources, isMain: true,
});
const { result } = await compiler('linkCore', {
  coreFiles: [...built.values(), main].map(one => one.core), main: 'main', pkgSources, target: TARGET,
  exportedFunctions: ['run'], outputFormat: 'wasm', testMode: false, debug: false, noOpt: false, sourceMap: false,
  sources: {}, stopOnMain: false,
});
writeFileSync(out, result);
