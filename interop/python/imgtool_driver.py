"""Drives imgtool as a module: one JSON request a line on stdin, one JSON answer a line on stdout.

{"op": "version"}                           -> {"ok": true, "version": "..."}
{"op": "run", "args": ["sign", ...]}        -> {"ok": bool, "error": "...", "output": "..."}
{"op": "verify", "key": PEM, "file": FILE}  -> {"ok": bool, "error": "...", "output": "..."}
"""

import contextlib
import importlib.metadata
import io
import json
import sys

from imgtool.main import imgtool


def run(args):
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            imgtool.main(args=args, standalone_mode=False)
        return {"ok": True, "output": output.getvalue()}
    except SystemExit as stop:
        return {"ok": not stop.code, "error": output.getvalue().strip()}
    except Exception as error:  # imgtool reports a bad image by whatever its parser throws
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}


def answer(request):
    if request["op"] == "version":
        return {"ok": True, "version": importlib.metadata.version("imgtool")}
    if request["op"] == "verify":
        return run(["verify", "-k", request["key"], request["file"]])
    return run(request["args"])


for line in sys.stdin:
    sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
    sys.stdout.flush()
