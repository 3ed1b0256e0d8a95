# Code for the sandbox of the PyPI package hyperlight-sandbox-python-guest. Has no single quotes in what it prints, as runtimes
# write them in different ways in a WAVE string.
import json
import math
import re
import sys

answer = call_tool("echo", text="grüße", numbers=[1, 2.5, None], nested={"a": [True]})
print(json.dumps(answer, sort_keys=True))
try:
    call_tool("other", n=1)
except Exception as error:
    print(type(error).__name__, str(error).replace("'", ""))
print(sum(call_tool("echo", n=n)["n"] for n in range(100)), len(call_tool("echo", text="x" * 20000)["text"]))
print(math.comb(60, 30), json.dumps(re.findall(r"\d+", "a1b22c333")))
print("to standard error", file=sys.stderr)
1 // 0
