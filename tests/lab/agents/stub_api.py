#!/usr/bin/python3
"""Stub of three model APIs for the lab: asks the agent to run one shell command, then says DONE.

usage: stub_api.py ADDRESS PORT CERT KEY HITS_LOG COMMAND_FILE
Speaks just enough of the Anthropic Messages API, the OpenAI Responses API and the Gemini API (all as server-sent
events) for a real agent to complete one task. Every request is one line in HITS_LOG.
"""
import http.server
import json
import ssl
import sys
import threading

ADDRESS, PORT, CERT, KEY, HITS_LOG, COMMAND_FILE = sys.argv[1:7]
LOCK = threading.Lock()


def command():
    with open(COMMAND_FILE, encoding="utf-8") as f:
        return f.read()


def sse(event, data):
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()


def anthropic_stream(body):
    """One tool call while no tool result has come back, else the last word."""
    tools = {t.get("name") for t in body.get("tools", [])}
    done = "tool_result" in json.dumps(body.get("messages", []))
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body.get("model", "m"),
               "content": [], "stop_reason": None, "stop_sequence": None,
               "usage": {"input_tokens": 1, "output_tokens": 1}}
    yield sse("message_start", {"type": "message_start", "message": message})
    shell = "Bash" if "Bash" in tools else "bash"
    if shell in tools and not done:
        block = {"type": "tool_use", "id": "toolu_1", "name": shell, "input": {}}
        text = json.dumps({"command": command(), "description": "task"})
        delta, stop = {"type": "input_json_delta", "partial_json": text}, "tool_use"
    else:
        block, delta, stop = {"type": "text", "text": ""}, {"type": "text_delta", "text": "DONE"}, "end_turn"
    yield sse("content_block_start", {"type": "content_block_start", "index": 0, "content_block": block})
    yield sse("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta})
    yield sse("content_block_stop", {"type": "content_block_stop", "index": 0})
    yield sse("message_delta", {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None},
                                "usage": {"output_tokens": 1}})
    yield sse("message_stop", {"type": "message_stop"})


def openai_call(body):
    """A call of whichever shell tool this version of the agent offers."""
    text = json.dumps(body)
    if '"additional_tools"' in text:  # tools are called from a script that the model writes
        script = f"const r = await tools.exec_command({{cmd: {json.dumps(command())}}}); text(JSON.stringify(r));"
        return {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "exec",
                "input": script, "status": "completed"}
    names = {t.get("name") for t in body.get("tools", [])}
    if "exec_command" in names:
        name, args = "exec_command", {"cmd": command()}
    elif "shell_command" in names:
        name, args = "shell_command", {"command": command()}
    elif "shell" in names:
        name, args = "shell", {"command": ["bash", "-lc", command()]}
    else:
        return None
    return {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name,
            "arguments": json.dumps(args), "status": "completed"}


def openai_stream(body):
    results = ("function_call_output", "custom_tool_call_output")
    done = any(item.get("type") in results for item in body.get("input", []))
    base = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
    yield sse("response.created", {"type": "response.created", "response": base})
    item = None if done else openai_call(body)
    if not item:
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "DONE", "annotations": []}]}
    yield sse("response.output_item.added", {"type": "response.output_item.added", "output_index": 0, "item": item})
    yield sse("response.output_item.done", {"type": "response.output_item.done", "output_index": 0, "item": item})
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2,
             "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    yield sse("response.completed", {"type": "response.completed",
                                     "response": {**base, "status": "completed", "output": [item], "usage": usage}})


def gemini_answer(body):
    names = {f.get("name") for t in body.get("tools", []) for f in t.get("functionDeclarations", [])}
    done = "functionResponse" in json.dumps(body.get("contents", []))
    part = {"text": '{"reasoning": "done", "next_speaker": "user"}' if "responseJsonSchema" in json.dumps(body) else "DONE"}
    if "run_shell_command" in names and not done:
        part = {"functionCall": {"id": "call_1", "name": "run_shell_command", "args": {"command": command(), "description": "task"}}}
    return {"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}, "modelVersion": "m"}


def gemini_stream(body):
    yield b"data: " + json.dumps(gemini_answer(body)).encode() + b"\r\n\r\n"


class Stub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def hit(self):
        with LOCK, open(HITS_LOG, "a", encoding="utf-8") as f:
            f.write(f"{self.headers.get('Host')} {self.command} {self.path}\n")

    def plain(self, status, data):
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.hit()
        # 426: no WebSocket here, which sends Codex straight to its HTTP transport
        self.plain(426 if "Upgrade" in self.headers else 404, {"error": {"type": "not_found_error", "message": "stub"}})

    do_HEAD = do_GET

    def do_POST(self):
        self.hit()
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        makers = {"/v1/messages": anthropic_stream, "/v1/responses": openai_stream}
        if path.endswith(":streamGenerateContent"):
            makers[path] = gemini_stream
        if path.endswith(":generateContent"):
            self.plain(200, gemini_answer(json.loads(raw)))
            return
        if path.endswith(":countTokens"):
            self.plain(200, {"totalTokens": 1})
            return
        if path not in makers:
            self.plain(404, {"error": {"type": "not_found_error", "message": "stub"}})
            return
        body = json.loads(raw)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in makers[path](body):
            self.wfile.write(chunk)
        self.close_connection = True


server = http.server.ThreadingHTTPServer((ADDRESS, int(PORT)), Stub)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERT, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
