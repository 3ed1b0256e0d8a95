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
for (const [name, file] of libraries) {
  imports[name] = (await WebAssembly.instantiate(await load(file), imports)).exports;
}
const instance = await WebAssembly.instantiate(await load(words[0]), imports);
if (invoke === null) {
  process.exitCode = wasi.start(instance);
} else {
  wasi.initialize(instance);
  console.log(instance.exports[invoke]());
}
