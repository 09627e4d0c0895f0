"""Drives a vendor's command line as a module: one JSON request a line on stdin, one JSON answer a line on stdout.

    python click_driver.py MODULE:COMMAND DISTRIBUTION

{"args": [...]}  -> {"ok": bool, "output": "...", "error": "..."}
{}               -> {"ok": true, "version": "..."}
"""

import contextlib
import importlib
import importlib.metadata
import io
import json
import sys

module, command = sys.argv[1].split(":")
tool = getattr(importlib.import_module(module), command)


def run(args):
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            # A click command, or a function that takes the arguments as espsecure's does.
            tool.main(args=args, standalone_mode=False) if hasattr(tool, "main") else tool(args)
        return {"ok": True, "output": output.getvalue()}
    except SystemExit as stop:
        return {"ok": not stop.code, "error": output.getvalue().strip()}
    except Exception as error:  # these tools report a bad image by whatever their parser throws
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}


for line in sys.stdin:
    request = json.loads(line)
    version = importlib.metadata.version(sys.argv[2])
    answer = run(request["args"]) if "args" in request else {"ok": True, "version": version}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
