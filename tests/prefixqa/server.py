"""A small HTTP server that speaks the chat-completions protocol, with faults on order.

Its "model" knows the facts of invented documents (``prefixqa.template``): it proposes true pairs for the
passage that it is shown, and answers questions on them. What it does wrong is what a test tells it to.
"""

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prefixqa.document import Document, Pair
from prefixqa.template import draw_document

Fault = str


class Service:
    """The server's state: what it knows, what it is to do wrong, and what it has seen.

    Attributes:
        faults: what happens to the next requests, one each: ``429``, ``500``, ``timeout``, ``cut``,
            ``garbage``, ``drip``, ``bad_json``, ``fenced``, ``schema``, ``bad_pair``, ``refusal``,
            ``length``, ``ok``.
        answered: completed answers by request body; more than one means paid twice.
        arrivals: time and status of every request. keys: Authorization headers seen.
        refuse_after: so many requests are answered, the others get this status.
        think: seconds that each answer takes. usage: whether answers count their tokens.
        tokens: what all answers took, in and out.
        retry_after: seconds to wait, as a 429 says it. busy: requests that are being answered; most: at once.
        body: changes a whole body before it is sent. words: of errors that are no answer.
        hold: while set, requests are neither answered nor refused.
    """

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self.facts = list(pairs)
        self.faults: deque[Fault] = deque()
        self.answered: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.arrivals: list[tuple[float, int]] = []
        self.keys: set[str] = set()
        self.extra: dict[str, list[dict[str, Any]]] = {"propose": []}
        self.closed_book: dict[str, str] = {}
        self.wrong: dict[str, str] = {}
        self.verdicts: dict[str, bool] = {}
        self.refuse_all: int | None = None
        self.refuse_after: tuple[int, int] | None = None
        self.hold = threading.Event()
        self.held = threading.Event()
        self.hold_after: int | None = None
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.slow = 3.0
        self.usage = True
        self.think = 0.0
        self.tokens = [0, 0]
        self.retry_after = "0.4"
        self.came = 0
        self.busy = self.most = 0
        self.words = "oops"
        self.body: Callable[[dict[str, Any]], bytes | dict[str, Any]] = lambda body: body
        self.lock = threading.Lock()

    # The model.

    def reply(self, messages: list[dict[str, str]]) -> tuple[str, dict[str, Any]]:
        """Kind of the request, and the object that answers it."""
        text = messages[-1]["content"]
        if text.startswith("Passage:\n"):
            return "propose", {"pairs": self._proposals(text)}
        if "Say for each whether it is good" in text:
            numbered = re.findall(r"^(\d+)\. question: (.+)$", text, re.MULTILINE)
            verdicts = [
                {"number": int(n), "good": self.verdicts.get(q, True), "reason": "so"}
                for n, q in numbered
            ]
            return "judge", {"verdicts": verdicts}
        numbered = re.findall(r"^(\d+)\. (.+)$", text, re.MULTILINE)
        if "that you cannot see" in text:
            return "closed_book", _answers((n, self.closed_book.get(q, "")) for n, q in numbered)
        kind = "answer" if text.startswith("Document:\n") else "support"
        known = {pair.question: pair.answers[0] for pair in self.facts} | self.wrong
        return kind, _answers((n, known.get(q, "")) for n, q in numbered)

    def _proposals(self, text: str) -> list[dict[str, Any]]:
        passage = text.removeprefix("Passage:\n").split("\n\nWrite questions on")[0]
        wanted = {
            kind: int(n) for n, kind in re.findall(r"^- (\d+) x ([\w-]+):", text, re.MULTILINE)
        }
        found = [p for p in self.facts if all(each.text in passage for each in p.evidence)]
        pairs = []
        for kind, count in wanted.items():
            same = [pair for pair in found if pair.type == kind] or found
            pairs += [proposal(pair) for pair in same[:count]]
        with self.lock:
            extra, self.extra["propose"] = self.extra["propose"], []
        return pairs + extra


def proposal(pair: Pair) -> dict[str, Any]:
    """A pair as a model proposes it."""
    return {
        "question": pair.question,
        "answer": pair.answers[0],
        "type": pair.type,
        "evidence": [each.text for each in pair.evidence],
    }


def _answers(numbered: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {"answers": [{"number": int(n), "answer": answer} for n, answer in numbered]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def service(self) -> Service:
        return self.server.service  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        service = self.service
        service.keys.add(self.headers.get("Authorization", ""))
        if service.refuse_all:
            self._json({"error": {"message": f"no entry for {self.headers['Authorization']}"}},
                       service.refuse_all)  # fmt: skip
        elif self.path == "/v1/files":
            name = f"file-{len(service.files)}"
            parts = [part for part in raw.split(b"\r\n\r\n") if b'"custom_id"' in part]
            service.files[name] = parts[0].rsplit(b"\r\n--", 1)[0]
            self._json({"id": name, "object": "file", "bytes": 1, "created_at": 0,
                        "filename": "requests.jsonl", "purpose": "batch", "status": "processed"})  # fmt: skip
        elif self.path == "/v1/batches":
            self._json(self._batch(json.loads(raw)["input_file_id"]))
        else:
            self._chat(json.loads(raw))

    def do_GET(self) -> None:
        service = self.service
        if self.path.startswith("/v1/batches/"):
            batch = service.batches[self.path.rsplit("/", 1)[1]]
            batch["looks"] += 1
            done = batch["looks"] > 1 and not service.hold.is_set()
            if service.hold.is_set():
                service.held.set()
            self._json(batch["body"] | {"status": "completed" if done else "in_progress"})
        elif self.path.startswith("/v1/files/"):
            self._send(service.files[self.path.split("/")[3]], 200, {})

    def _batch(self, file: str) -> dict[str, Any]:
        service = self.service
        lines = []
        for line in service.files[file].splitlines():
            request = json.loads(line)
            fault = service.faults.popleft() if service.faults else "ok"
            body, status = self._completion(request["body"], fault), 200 if fault != "500" else 500
            if status == 200:
                service.answered[json.dumps(request["body"], sort_keys=True)] += 1
            answer = {
                "custom_id": request["custom_id"],
                "response": {"status_code": status, "body": body},
            }
            lines.append(json.dumps(answer))
        output, name = f"out-{file}", f"batch-{len(service.batches)}"
        service.files[output] = "\n".join(lines).encode()
        body = {"id": name, "object": "batch", "endpoint": "/v1/chat/completions", "created_at": 0,
                "input_file_id": file, "completion_window": "24h", "output_file_id": output}  # fmt: skip
        service.batches[name] = {"body": body, "looks": 0}
        return body | {"status": "validating"}

    def _chat(self, body: dict[str, Any]) -> None:
        service = self.service
        with service.lock:
            service.busy += 1
            service.most = max(service.most, service.busy)
        try:
            self._answer(body)
        finally:
            with service.lock:
                service.busy -= 1

    def _answer(self, body: dict[str, Any]) -> None:
        service = self.service
        with service.lock:
            fault = service.faults.popleft() if service.faults else "ok"
            service.came += 1
            refused = service.refuse_after and service.came > service.refuse_after[0]
            full = service.hold_after is not None and service.answered.total() >= service.hold_after
            if full:
                service.hold.set()
        if service.hold.is_set():
            service.held.set()
            while service.hold.is_set():
                time.sleep(0.02)
            self.close_connection = True
            return
        if service.refuse_after and refused:
            self._json({"error": {"message": "no more"}}, service.refuse_after[1])
            return
        status = {"429": 429, "500": 500}.get(fault, 200)
        service.arrivals.append((time.monotonic(), status))
        if status == 429:
            self._json(
                {"error": {"message": "slow down"}}, 429, {"Retry-After": service.retry_after}
            )
        elif status == 500:
            self._json({"error": {"message": service.words}}, 500)
        elif fault == "timeout":
            time.sleep(service.slow)
            self.close_connection = True
        elif fault == "garbage":
            self._send(b"<html>gateway</html>", 200, {"Content-Type": "application/json"})
        else:
            whole = service.body(self._completion(body, fault))
            content = whole if isinstance(whole, bytes) else json.dumps(whole).encode()
            if fault == "drip":
                self._drip(content)
            elif fault == "cut":
                self._send(content[: len(content) // 2], 200, {"Content-Length": str(len(content))})
                self.close_connection = True
            else:
                time.sleep(service.think)
                with service.lock:
                    service.answered[json.dumps(body, sort_keys=True)] += 1
                self._send(content, 200, {"Content-Type": "application/json"})

    def _completion(self, body: dict[str, Any], fault: Fault) -> dict[str, Any]:
        kind, found = self.service.reply(body["messages"])
        self.service.kinds[kind] += 1
        text = json.dumps(found)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if fault == "bad_json":
            message["content"] = "Here you are: " + text[: len(text) // 2]
        elif fault == "fenced":
            message["content"] = f"Sure.\n```json\n{text}\n```"
        elif fault == "schema":
            message["content"] = json.dumps({"items": []})
        elif fault == "bad_pair" and found.get("pairs"):
            found["pairs"][0].pop("evidence")
            message["content"] = json.dumps(found)
        elif fault == "refusal":
            message |= {"content": None, "refusal": "I would rather not."}
        finish = "length" if fault == "length" else "stop"
        words = sum(len(each["content"].split()) for each in body["messages"])
        with self.service.lock:
            self.service.tokens[0] += words
            self.service.tokens[1] += len(text.split())
        whole = {
            "id": "chat-1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {
                "prompt_tokens": words,
                "completion_tokens": len(text.split()),
                "total_tokens": 0,
            },
        }
        if not self.service.usage:
            del whole["usage"]
        return whole

    def _drip(self, content: bytes) -> None:
        """A body that comes in small pieces: each arrives in time, the whole does not."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        end = time.monotonic() + self.service.slow
        for byte in content:
            if time.monotonic() > end:
                break
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                break
            time.sleep(0.05)
        self.close_connection = True

    def _json(
        self, body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        self._send(
            json.dumps(body).encode(),
            status,
            {"Content-Type": "application/json"} | (headers or {}),
        )

    def _send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            pass  # the client has gone


class Quiet(ThreadingHTTPServer):
    """Says nothing of clients that are gone: tests kill them."""

    def handle_error(self, *_: Any) -> None:
        pass


class Running:
    """The server on a free port of this machine."""

    def __init__(self, service: Service) -> None:
        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.service = service  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def known_document(
    name: str, words: int = 900, questions: int = 30
) -> tuple[Document, tuple[Pair, ...]]:
    """An invented document, and pairs on it that the server knows."""
    import random

    mix = {"factual": 5, "numeric": 5, "definition": 1, "method": 3}
    drawn = draw_document(random.Random(name), words, questions, mix=mix, name=name)
    return drawn.document, drawn.pairs
