// Runs a WASI program in Node.js, for measurements.
//   node node-wasi.mjs [--dir HOST::GUEST]… [--preload NAME=FILE]… [--invoke EXPORT] FILE [ARGUMENT]…
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const words = process.argv.slice(2);
const preopens = {}, libraries = [];
let invoke = null;
for (; words[0]?.startsWith('--'); words.splice(0, 2)) {
  const [option, value] = words;
  if (option === '--dir') {
    const [host, guest] = value.split('::');
    preopens[guest] = host;
  } else if (option === '--preload') {
    libraries.push(value.split('='));
  } else {
    invoke = value;
  }
}
const load = async file => WebAssembly.compile(await readFile(file));

// Other runtimes pass no variables. Here `environ_get` fails if there is none.
const env = { LANG: 'C' };
const wasi = new WASI({ version: 'preview1', args: words, env, preopens, returnOnExit: true });
const imports = wasi.getImportObject();
const isWasi = module => WebAssembly.Module.imports(module).some(({ module }) => module === 'wasi_snapshot_preview1');
for (const [name, file] of libraries) {
  const module = await load(file);
  // A library that makes calls of its own has a memory of its own.
  const own = new WASI({ version: 'preview1' });
  const library = await WebAssembly.instantiate(module, isWasi(module) ? own.getImportObject() : imports);
  if (isWasi(module)) own.finalizeBindings(library);
  imports[name] = library.exports;
}
const module = await load(words[0]);
const instance = await WebAssembly.instantiate(module, imports);
if (invoke === null) {
  process.exitCode = wasi.start(instance);
} else {
  if (isWasi(module)) wasi.initialize(instance);
  console.log(String(instance.exports[invoke](...words.slice(1).map(Number))));
}
