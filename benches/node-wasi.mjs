// Runs a WASI program in Node.js, for measurements: no directories, no variables, as the other runtimes are called.
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [, , file, ...words] = process.argv;
const wasi = new WASI({ version: 'preview1', args: [file, ...words], env: {}, preopens: {}, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(file));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
