// A JavaScript program as a component, made by componentize-js. It calls the interfaces of WASI itself, and exports the same
// functions as python.py.
//
// The program prints its arguments, environment and input, and what became of some calls; nothing of it depends on the machine or
// the time. `/w` must be an empty directory, and stays empty. The last argument is the exit code: 0 for a return, 1 for a failure
// of `run`, others by `exit-with-code`.

import { getArguments, getEnvironment } from "wasi:cli/environment@0.2.12";
import { exitWithCode } from "wasi:cli/exit@0.2.12";
import { getStderr } from "wasi:cli/stderr@0.2.12";
import { getStdin } from "wasi:cli/stdin@0.2.12";
import { now, subscribeDuration } from "wasi:clocks/monotonic-clock@0.2.12";
import { now as wallClock } from "wasi:clocks/wall-clock@0.2.12";
import { getDirectories } from "wasi:filesystem/preopens@0.2.12";
import { poll } from "wasi:io/poll@0.2.12";
import { getRandomBytes, getRandomU64 } from "wasi:random/random@0.2.12";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function show(value) {
  return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? Number(part) : part));
}

// Prints the result of a call, or the error that it throws: functions of WASI throw the error case of their result.
function attempt(what, call) {
  try {
    console.log(`${what}: ${show(call())}`);
  } catch (error) {
    console.log(`${what}: error ${show(error.payload ?? `${error}`)}`);
  }
}

function language() {
  const people = Array.from({ length: 300 }, (_, n) => ({ name: `n${(n * 7919) % 1009}`, share: n / 7, even: n % 2 === 0 }));
  const text = JSON.stringify(people);
  console.log("json:", text.length, JSON.stringify(JSON.parse(text)) === text);
  console.log("regular expressions:", text.match(/"n(\d)\d*\1"/g).length, "hello world".replace(/(\w+) (\w+)/, "$2 $1"));
  let hash = 0;
  for (let round = 0; round < 50; round++) for (let at = 0; at < text.length; at++) hash = (hash * 31 + text.charCodeAt(at)) | 0;
  console.log("hash:", hash);
  console.log("integers:", `${3n ** 200n % 10n ** 12n}`, new Map(people.map(({ name, share }) => [name, share])).size);
  const words = ["pear", "Äpfel", "fig"].sort();
  console.log("text:", words.join(), [..."a👋ü"].length, atob(btoa("base")), encoder.encode("grüße").length);
}

function write(directory, path, text, flags = { create: true, truncate: true }, offset = 0n) {
  const file = directory.openAt({}, path, flags, { write: true });
  const stream = file.writeViaStream(offset);
  const bytes = encoder.encode(text);
  // A call takes no more than 4096 bytes.
  for (let at = 0; at < bytes.length; at += 4096) stream.blockingWriteAndFlush(bytes.subarray(at, at + 4096));
  return bytes.length;
}

function readAll(stream) {
  const bytes = [];
  try {
    for (;;) bytes.push(...stream.blockingRead(4096n));
  } catch (end) {
    if (end.payload?.tag !== "closed") throw end;
  }
  return new Uint8Array(bytes);
}

function read(directory, path, follow = true) {
  return decoder.decode(readAll(directory.openAt({ symlinkFollow: follow }, path, {}, { read: true }).readViaStream(0n)));
}

function list(directory, path) {
  const names = [];
  const entries = directory.openAt({}, path, { directory: true }, { read: true }).readDirectory();
  for (let entry; (entry = entries.readDirectoryEntry()); ) names.push(`${entry.name} (${entry.type})`);
  return names.sort();
}

function files() {
  const [root] = getDirectories().find(([, path]) => path === "/w");
  attempt("mkdir", () => root.createDirectoryAt("a"));
  attempt("mkdir again", () => root.createDirectoryAt("a"));
  attempt("write", () => write(root, "a/one.txt", "one\ntwo\nthree\n"));
  attempt("append", () => root.openAt({}, "a/one.txt", {}, { write: true }).appendViaStream().blockingWriteAndFlush(encoder.encode("grüße\n")));
  attempt("read", () => read(root, "a/one.txt"));
  attempt("create again", () => write(root, "a/one.txt", "", { create: true, exclusive: true }));
  attempt("write at 4", () => write(root, "a/one.txt", "FIVE", {}, 4n));
  attempt("cut", () => root.openAt({}, "a/one.txt", {}, { write: true }).setSize(10n));
  attempt("read", () => read(root, "a/one.txt"));
  attempt("stat", () => {
    const { type, size, linkCount } = root.statAt({}, "a/one.txt");
    return { type, size, linkCount };
  });
  attempt("rename", () => root.renameAt("a/one.txt", root, "moved.txt"));
  attempt("symlink", () => root.symlinkAt("../moved.txt", "a/soft"));
  attempt("readlink", () => root.readlinkAt("a/soft"));
  attempt("read the link", () => read(root, "a/soft"));
  attempt("read the link itself", () => read(root, "a/soft", false));
  attempt("large", () => write(root, "large", "0123456789abcde\n".repeat(2048)));
  attempt("read large", () => read(root, "large") === "0123456789abcde\n".repeat(2048));
  attempt("list", () => list(root, "."));
  attempt("list a", () => list(root, "a"));
  attempt("same object", () => root.openAt({}, "a", {}, {}).isSameObject(root.openAt({}, "./a", {}, {})));
  attempt("rmdir full", () => root.removeDirectoryAt("a"));
  attempt("open missing", () => read(root, "missing"));
  attempt("open outside", () => read(root, "../outside"));
  attempt("open absolute", () => read(root, "/etc/passwd"));
  attempt("unlink a directory", () => root.unlinkFileAt("a"));
  attempt("remove", () => {
    root.unlinkFileAt("a/soft");
    root.removeDirectoryAt("a");
    root.unlinkFileAt("moved.txt");
    root.unlinkFileAt("large");
  });
  attempt("list", () => list(root, "."));
}

function clocksAndRandom() {
  const before = now();
  const timers = [subscribeDuration(10_000_000_000n), subscribeDuration(10_000_000n)];
  console.log("poll:", show([...poll(timers)]), now() - before >= 10_000_000n, show(timers.map((timer) => timer.ready())));
  console.log("wall clock:", wallClock().seconds > 1_700_000_000n, Date.now() > 1_700_000_000_000);
  console.log("random bytes:", getRandomBytes(100n).length, getRandomU64() !== getRandomU64());
}

export const run = {
  run() {
    const words = getArguments();
    console.log("arguments:", show(words.slice(1)));
    console.log("environment:", show(getEnvironment().sort()));
    language();
    files();
    clocksAndRandom();
    const lines = decoder.decode(readAll(getStdin())).trimEnd().split("\n");
    console.log("input:", lines.length, show(lines.slice(0, 3)));
    getStderr().blockingWriteAndFlush(encoder.encode("to standard error\n"));
    const code = Number(words.at(-1));
    if (code === 1) throw undefined;
    if (code) exitWithCode(code);
  },
};

export const shapes = {
  describe(given, unit, detail, title) {
    if (given.length === 0) throw "there are no shapes";
    const square = unit === "metre" ? 1 : 0.0254 ** 2;
    const rows = title === undefined ? [] : [[title, 0]];
    for (const { tag, val } of given) {
      let [text, area] = [tag, 0];
      if (tag === "circle") area = Math.PI * val * val;
      if (tag === "polygon") {
        if (val.length < 3) throw `a polygon has ${val.length} corners`;
        if (detail.corners) text = `polygon of ${val.length}`;
        const next = (at) => val[(at + 1) % val.length];
        area = Math.abs(val.reduce((sum, { x, y }, at) => sum + x * next(at).y - next(at).x * y, 0)) / 2;
      }
      rows.push([text, detail.area ? area * square : 0]);
    }
    return rows;
  },
  total(bytes) {
    return [bytes.reduce((sum, byte) => sum + BigInt(byte), 0n), bytes.toReversed()];
  },
  letters(text) {
    return [...text].map((letter) => [letter, letter.codePointAt(0)]);
  },
};
