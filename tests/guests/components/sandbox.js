// Code for the sandbox of the PyPI package hyperlight-sandbox-javascript-guest: the body of an asynchronous function. Has no single
// quotes in what it prints, as runtimes write them in different ways in a WAVE string.
const answer = call_tool("echo", { text: "grüße", numbers: [1, 2.5, null], nested: { a: [true] } });
console.log(JSON.stringify(answer));
try {
  call_tool("other", { n: 1 });
} catch (error) {
  console.log(error.name, error.message.replaceAll("'", ""));
}
let sum = 0;
for (let n = 0; n < 100; n++) sum += call_tool("echo", { n }).n;
console.log(sum, call_tool("echo", { text: "x".repeat(20000) }).text.length);
console.log(await Promise.all([1, 2].map(async (n) => n * 10)), new Date(0).toISOString());
console.error("to standard error");
throw new RangeError("of its own");
