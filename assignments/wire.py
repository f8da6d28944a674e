"""What the grader and the process with a student's code say to each other: data, never objects.

A message is JSON behind its length. Numbers, words, lists and arrays go as they are; a function
stays where it is, and what goes is a name under which the other side may call it. So nothing that
a student's process sends can run in the grader's, whatever it is.
"""

__all__ = ["Closed", "Line", "Peer", "Remote", "TimeUp", "hide"]

import base64
import builtins
import contextlib
import ctypes
import json
import math
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

LARGEST = 32 * 2**20  # bytes of a message
MOST = 2_000_000  # values in its lists: all pixels of all digits are fewer


def hide(hidden: bool) -> None:
    """Let no process of the same user read or write the memory of this one, or let them."""
    with contextlib.suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(4, int(not hidden), 0, 0, 0)


class Closed(BaseException):
    """The other side has ended, or says what nobody who keeps to the rules would say."""


class TimeUp(BaseException):
    """Time is over; no `except Exception` of a submission shall catch it."""


class Remote(Exception):
    """What a function on the other side raised, where Python has no exception of its name."""


class Line:
    """Messages over a socket, each read before a deadline even if it comes byte by byte."""

    def __init__(self, connection: socket.socket, deadline: float = float("inf")) -> None:
        """Speak over `connection` until `deadline` of `time.monotonic`."""
        self.connection, self.deadline = connection, deadline

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message.

        Raises:
            Closed: when nobody takes it.
            TimeUp: at the deadline.
        """
        data = json.dumps(message).encode()
        if len(data) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes at a time")
        self._wait()
        try:
            self.connection.sendall(struct.pack("!Q", len(data)) + data)
        except TimeoutError:
            raise TimeUp from None
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self) -> dict[str, Any]:
        """Return the next message.

        Raises:
            Closed: when none can come any more, or what comes is no message.
            TimeUp: at the deadline.
        """
        (length,) = struct.unpack("!Q", self._read(8))
        if length > LARGEST:
            raise Closed(f"a message of {length} bytes")
        data = self._read(length)
        if data.count(b",") > MOST:  # each takes many times its length here
            raise Closed(f"more than {MOST} values in lists")
        try:
            message = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Closed(f"no message: {error}") from None
        if not isinstance(message, dict):
            raise Closed("no message")
        return message

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            self._wait()
            try:
                part = self.connection.recv(min(length - len(data), 2**20))
            except TimeoutError:
                raise TimeUp from None
            except OSError as error:
                raise Closed(str(error)) from None
            if not part:
                raise Closed("the process ended")
            data += part
        return bytes(data)

    def _wait(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeUp
        self.connection.settimeout(None if left == float("inf") else left)


class Peer:
    """One of two sides, each of which may call what the other offers, also within a call."""

    def __init__(self, line: Line, offers: Mapping[str, Callable[..., Any]]) -> None:
        """Offer functions by name to the other end of the line."""
        self._line, self._offers = line, offers
        self._given: dict[str, Callable[..., Any]] = {}

    def function(self, name: str) -> Callable[..., Any]:
        """The other side's function of that name."""

        def remote(*arguments: Any, **named: Any) -> Any:
            generators = _generators(arguments, named)
            given = {key: self._encode(value) for key, value in named.items()}
            call = {"call": name, "arguments": self._encode(list(arguments)), "named": given}
            self._line.send(call)
            while "call" in (message := self._line.receive()):
                self._answer(message)
            # A generator is copied on its way; here it goes on where the copy has stopped.
            try:
                for generator, state in zip(generators, message["generators"], strict=True):
                    generator.bit_generator.state = state
                if "raised" in message:
                    raise _exception(*map(str, message["raised"]))
                return self._decode(message["result"])
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise Closed(f"no answer: {error}") from None

        return remote

    def serve(self) -> None:
        """Answer calls for as long as the line stands."""
        while True:
            try:
                message = self._line.receive()
            except Closed:
                return
            self._answer(message)

    def _answer(self, message: dict[str, Any]) -> None:
        generators: list[np.random.Generator] = []
        try:
            arguments = self._decode(message["arguments"])
            named = {key: self._decode(value) for key, value in message["named"].items()}
            generators = _generators(arguments, named)
            name = str(message["call"])
            function = self._given.get(name) or self._offers.get(name)
            if function is None:
                raise NameError(f"name {name!r} is not defined")
            answer = {"result": self._encode(function(*arguments, **named))}
        except Closed:
            raise
        except self._caught as error:
            answer = {"raised": [type(error).__name__, self._told(error)]}
        answer["generators"] = [g.bit_generator.state for g in generators]
        self._line.send(answer)

    # A grader goes on after an exception; with a student even SystemExit is one function's.
    _caught: type[BaseException] = Exception

    def _told(self, error: BaseException) -> str:
        return str(error)[:1_000]

    def _encode(self, value: Any) -> Any:
        torch = sys.modules.get("torch")
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, str):  # as NumPy has them
            return str(value)
        if isinstance(value, (list, tuple)):
            return [self._encode(item) for item in value]
        if torch is not None and isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            if value.dtype in (torch.bfloat16, torch.float16):
                value = value.float()
            value = value.to_dense().resolve_conj().resolve_neg()
            return _packed(_real(value.numpy()), "tensor")
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            return _packed(np.asarray(value), "scalar")
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            return _packed(value, "array")
        if isinstance(value, np.random.Generator):
            return {"generator": value.bit_generator.state}
        if callable(value):
            self._given[name := f"given {len(self._given)}"] = value
            return {"function": name}
        value = _real(value)
        try:
            return _packed(np.asarray(value, dtype=np.float64), "array")
        except (TypeError, ValueError, AttributeError):
            kind = type(value).__name__
            said = f"a value of the type {kind} is no array, tensor or list of numbers"
            raise TypeError(said) from None

    def _decode(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self._decode(item) for item in data]
        if not isinstance(data, dict):
            return data
        try:
            if "function" in data:
                return self.function(str(data["function"]))
            if "generator" in data:
                generator = np.random.Generator(np.random.PCG64())
                generator.bit_generator.state = data["generator"]
                return generator
            dtype = np.dtype(str(data["dtype"]))
            if dtype.kind not in "biuf":
                raise ValueError(f"numbers of kind {dtype}")
            array = np.frombuffer(base64.b64decode(data["bytes"]), dtype)
            # An array of nothing has any shape; a mean over it, or a sum, would be as large.
            if math.prod(max(n, 1) for n in data["shape"]) > max(array.size, MOST):
                raise ValueError("a shape without values")
            array = array.reshape(data["shape"]).copy()
            if data["kind"] == "tensor":
                return sys.modules["torch"].from_numpy(array)
            return array[()] if data["kind"] == "scalar" else array
        except Exception as error:
            raise Closed(f"no value: {error}") from None


def _generators(arguments: Iterable[Any], named: Mapping[str, Any]) -> list[np.random.Generator]:
    return [a for a in (*arguments, *named.values()) if isinstance(a, np.random.Generator)]


def _real(value: Any) -> Any:
    """What is real of numbers whose imaginary parts are 0."""
    if np.iscomplexobj(value):
        if np.any(np.imag(value)):
            raise TypeError("complex numbers are not taken")
        return np.real(value)
    return value


def _packed(array: np.ndarray, kind: str) -> dict[str, Any]:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"numbers of kind {array.dtype} are not taken")
    array = array.astype(np.float64) if array.dtype.itemsize > 8 else array
    if array.nbytes > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes at a time")
    text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"kind": kind, "dtype": array.dtype.str, "shape": array.shape, "bytes": text}


def _exception(name: str, text: str) -> Exception:
    """An exception that is called what the other side's was called."""
    known = getattr(builtins, name, None)
    if known in (NotImplementedError, AssertionError):
        return known(text)
    return type(name[:100], (Remote,), {})(text)
