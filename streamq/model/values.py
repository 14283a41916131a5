"""Values as JSON and back: written by the declared type, read by it, and compared where that may lose something.

Everything is written by the names of fields and read by names and aliases, so that a payload comes back whatever its
aliases are, and one made after the JSON Schema (which shows aliases) is read too.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import CoreConfig, SchemaSerializer, SchemaValidator, from_json
from pydantic_core.core_schema import list_schema

from streamq.errors import FieldError
from streamq.model import codec, masked
from streamq.model.json_text import JSONText
from streamq.model.pointers import json_pointer
from streamq.model.shapes import Shape, non_finite, refuse_unsendable, shape
from streamq.model.shown import as_given
from streamq.model.whole_numbers import as_whole

_plain = codec.plain
_SCALARS: Final = frozenset({str, int, bool, type(None)})
_NAN: Final = (
    "JSON has no NaN and no infinity. Set model_config = ConfigDict(ser_json_inf_nan='strings') on a model of your "
    "own, or annotate the parameter with float, list[float], …"
)
_UNTYPED: Final = "; annotate the handler's parameter with its type, or send what JSON has"


class Unfit(Exception):
    """A value that does not fit its type, or that would not arrive as it is. ``errors`` says where and why."""

    def __init__(self, errors: list[FieldError]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{e.pointer}: {e.message}" if e.pointer else e.message for e in errors))


class Form:
    """A declared type, and how its values are written and read: each is compared with what would arrive."""

    def __init__(self, adapter: TypeAdapter[Any]) -> None:
        self._adapter, self._validator = adapter, adapter.validator
        # NaN and infinity as text, which is read again; a model has a configuration of its own
        self.masked = masked.pointers_of(adapter.core_schema)
        """What of a value is masked, as JSON pointers."""
        self._serializer = SchemaSerializer(adapter.core_schema, CoreConfig(ser_json_inf_nan="strings"))

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the values."""
        return self._adapter.json_schema()

    def told(self, unfit: Unfit) -> Unfit:
        """The errors without messages that may quote a masked value."""
        if not self.masked:
            return unfit
        may_tell = masked.open_members(self._adapter.core_schema, self.masked)
        return Unfit([
            FieldError(each.pointer, each.code, f"it is not valid ({each.code}); its value is masked")
            if masked.tells_a_value(each.code) and each.pointer.split("/")[1:2] not in [[name] for name in may_tell]
            else each
            for each in unfit.errors
        ])  # fmt: skip

    def write(self, value: Any) -> bytes:
        """Validate and write a value. Raises ``Unfit``."""
        try:
            valid = self._validator.validate_python(value, by_alias=True, by_name=True)
        except ValidationError as error:
            raise Unfit(field_errors(error)) from None
        except UnicodeError as error:  # a lone surrogate in a text for which a validator of the program asks
            raise Unfit([FieldError("", "not-json", str(error))]) from None
        return self.compared(valid)

    def write_text(self, text: str | bytes) -> bytes:
        """Validate JSON text and write its value. Raises ``Unfit``."""
        return self.written(self.read(text))

    def write_each(self, text: str | bytes) -> list[bytes]:
        """The same for the items of an array, which are read at once. Raises ``Unfit``."""
        try:
            return list(map(self.written, self._array.validate_json(text, by_alias=True, by_name=True)))
        except ValidationError as error:
            raise Unfit(field_errors(error)) from None

    @functools.cached_property
    def _array(self) -> SchemaValidator:
        return SchemaValidator(list_schema(self._adapter.core_schema))

    def written(self, valid: Any) -> bytes:
        """Write a valid value. Raises ``Unfit`` when something else would arrive."""
        return self.compared(valid)

    def read(self, raw: str | bytes) -> Any:
        """The value of JSON text. Raises ``Unfit``."""
        try:
            return self._validator.validate_json(raw, by_alias=True, by_name=True)
        except ValidationError as error:
            return self._read_as_whole(raw, error)

    def _read_as_whole(self, raw: str | bytes, error: ValidationError) -> Any:
        """The value where strict integers are written as ``3.0``: to JSON Schema they are. Raises ``Unfit`` else."""
        try:
            if text := as_whole(raw, error):
                return self._validator.validate_json(text, by_alias=True, by_name=True)
        except ValidationError as remaining:
            error = remaining
        raise Unfit(field_errors(error)) from None

    def compared(self, value: Any) -> bytes:
        """Write a valid value and read it again. Raises ``Unfit`` when something else would arrive."""
        try:
            raw = self._serializer.to_json(value, by_alias=False, round_trip=True, warnings=False)
        except (TypeError, ValueError, RecursionError) as error:  # pydantic's, or of a user's own writer
            raise Unfit([FieldError("", "not-json", str(error))]) from None
        try:
            back = self._validator.validate_json(raw, by_alias=True, by_name=True)
        except ValidationError as error:
            raise Unfit([_unread(value, e) for e in error.errors(include_url=False)]) from None
        if not _equal(value, back):
            differences = list(_differences(value, back, ""))
            if differences:
                raise Unfit(differences)
        return raw


class ExactForm(Form):
    """A type whose validated values are known to come back as they were: they are not compared.

    Pydantic's core is called as it is, with nothing but the value: the adapter's methods around it cost more than
    most payloads do, and so do some options.
    """

    def __init__(self, adapter: TypeAdapter[Any], known: Shape) -> None:
        super().__init__(adapter)
        self._floats, self._classes = known.floats, tuple(known.classes)
        self._flat = self._classes[0] if len(self._classes) == 1 else None

    def write(self, value: Any) -> bytes:
        """Validate and write a value. Raises ``Unfit``."""
        try:
            valid = self._validator.validate_python(value)
        except ValidationError as error:
            raise Unfit(field_errors(error)) from None
        except (TypeError, ValueError) as error:  # of a user's own validator
            raise Unfit([FieldError("", "not-json", str(error))]) from None
        return self.written(valid)

    def written(self, valid: Any) -> bytes:
        """Write a valid value. Raises ``Unfit`` when something else would arrive."""
        try:
            raw = self._serializer.to_json(valid)
        except (TypeError, ValueError) as error:
            raise Unfit([FieldError("", "not-json", str(error))]) from None
        if (self._floats and b"null" in raw) or (
            self._classes and type(valid) is not self._flat and self._has_heirs()
        ):
            return self.compared(valid)
        return raw

    def _has_heirs(self) -> bool:
        """Whether an instance may be of a subclass, which is written as the class that is declared."""
        return any(cls.__subclasses__() for cls in self._classes)

    def read(self, raw: str | bytes) -> Any:
        """The value of JSON text. Raises ``Unfit``."""
        try:
            return self._validator.validate_json(raw)
        except ValidationError as error:
            return self._read_as_whole(raw, error)


class AnyForm(Form):
    """No type: what JSON has arrives as it was, anything else is refused."""

    def __init__(self) -> None:
        super().__init__(TypeAdapter(Any))

    def write(self, value: Any) -> bytes:
        """Write a value. Raises ``Unfit``."""
        try:
            raw = _plain(value)
        except TypeError:  # a number above 64 bits, or what JSON does not have
            raw = _written(value)
        else:
            kind = type(value)
            if kind in _SCALARS or (kind is dict and _SCALARS.issuperset(map(type, value.values()))):
                return raw  # nothing in it is ever written as something else
            if _equal(value, codec.loads(raw)):  # the faster reader: only long numbers it reads otherwise
                return raw
        if not _equal(value, back := self.read(raw)):
            differences = [
                FieldError(each.pointer, each.code, each.message + _UNTYPED)
                for each in _differences(value, back, "")
            ]
            if differences:
                raise Unfit(differences)
        return raw

    def write_text(self, text: str | bytes) -> bytes:
        """JSON text of a value, as it is, on one line. Raises ``Unfit``."""
        try:
            raw = text.encode() if isinstance(text, str) else text
            codec.loads(raw)
        except ValueError as error:  # not JSON, or a lone surrogate in it
            raise Unfit([FieldError("", "not-json", str(error))]) from None
        return raw.replace(b"\n", b" ").replace(b"\r", b" ").strip()

    def read(self, raw: str | bytes) -> Any:
        """The value of JSON text. Raises ``Unfit``."""
        try:
            return from_json(raw)
        except ValueError:  # not JSON, or nested more than 200 levels deep
            return _loads(raw)


def _written(value: Any) -> bytes:
    try:
        return codec.written(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unfit([FieldError("", "not-json", f"{error}{_UNTYPED}")]) from None


def _loads(raw: str | bytes) -> Any:
    try:
        return codec.loads(raw)
    except codec.JSONDecodeError as error:
        raise Unfit([FieldError("", "not-json", str(error))]) from None


class NothingForm(Form):
    """The payload of a handler without parameters: ``null``, or an object without members."""

    def __init__(self) -> None:
        super().__init__(TypeAdapter(None))

    def write(self, value: Any) -> bytes:
        """Write nothing. Raises ``Unfit`` for anything else."""
        if value is None or value == {}:
            return b"null"
        raise Unfit(
            [FieldError("", "extra_forbidden", "the handler takes no payload: leave it out, or send null")]
        )

    def write_text(self, text: str | bytes) -> bytes:
        """Write nothing. Raises ``Unfit`` for anything else."""
        return self.write(self.read(text))

    def read(self, raw: str | bytes) -> Any:
        """Read nothing. Raises ``Unfit`` for anything else."""
        self.write(_loads(raw))


def form(declared: Any, what: str) -> Form:
    """How values of a declared type are written and read. Raises ``ConfigurationError``; ``what`` names the type."""
    if declared is Any:
        return AnyForm()
    adapter = TypeAdapter(declared)
    refuse_unsendable(adapter.core_schema, what)
    known = shape(adapter.core_schema)
    return ExactForm(adapter, known) if known.exact else Form(adapter)


@functools.lru_cache(maxsize=256)
def _model(kind: type) -> Form:
    """The form of a model that is sent by the name of a task that is not known here."""
    return form(kind, kind.__name__)


def write_untyped(value: Any) -> bytes:
    """A payload for a task that is not known here: whatever has a JSON form that its worker may read by its type.

    Raises ``Unfit``.
    """
    if type(value) is JSONText:
        return _ANY.write_text(value.text)
    try:
        raw = b"%b" % codec.dumps(value, _by_its_own_type)
    except TypeError as error:
        cause = error.__cause__ or error  # orjson wraps what the function it calls raises
        if isinstance(cause, Unfit):
            raise cause from None
        raise Unfit([FieldError("", "not-json", str(cause))]) from None
    if b"null" in raw:
        errors = [FieldError(at, "not-json", f"{found!r}: {_NAN}") for at, found in _non_finite(value, "")]
        if errors:
            raise Unfit(errors)
    return raw


def masked_by_its_own_type(value: Any) -> tuple[str, ...]:
    """What of a payload for a task that is not known here is masked, where it is a model that says so."""
    return _model(type(value)).masked if isinstance(value, BaseModel) else ()


_ANY: Final = AnyForm()


def _by_its_own_type(value: Any) -> Any:
    if isinstance(value, BaseModel):
        own = _model(type(value))
        try:
            return codec.Fragment(own.write(value))
        except Unfit as error:
            raise own.told(error) from None
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def field_errors(error: ValidationError) -> list[FieldError]:
    """pydantic's errors as ours, each with a JSON Pointer."""
    return [
        FieldError(json_pointer(e["loc"]), e["type"], e["msg"])
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]


# -- comparing ------------------------------------------------------------------------------------------------------


def _equal(was: Any, back: Any) -> bool:
    try:
        return bool(was == back)
    except Exception:  # arrays compare to arrays, not to a bool: the parts are compared
        return False


def _differences(was: Any, back: Any, at: str) -> Iterator[FieldError]:
    """Where what was read is not what was written. NaN counts as equal to NaN."""
    if _equal(was, back) or (non_finite(was) and was != was and back != back):  # noqa: PLR0124  # NaN alone differs from itself
        return
    if _same_instant(was, back):
        return
    if type(was) is type(back) and (parts := _parts(was)) is not None:
        others = _parts(back) or {}
        if parts.keys() == others.keys():
            for name, part in parts.items():
                yield from _differences(part, others[name], at + json_pointer((name,)))
            return
    message = f"{as_given(was)} would arrive as {as_given(back)}"
    if type(was) is not type(back):
        message = (
            f"{as_given(was)} ({type(was).__name__}) would arrive as {as_given(back)} ({type(back).__name__})"
        )
    yield FieldError(at, "not-kept", f"{message}: {_NAN}" if non_finite(was) else message)


def _same_instant(was: Any, back: Any) -> bool:
    """Whether two aware times are the same instant: ``==`` is false between zones while a clock is set."""
    times = (was, back)
    if not all(isinstance(each, datetime) and each.utcoffset() is not None for each in times):
        return False
    return bool(was - _EPOCH == back - _EPOCH)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _parts(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, dict):
        return value
    if isinstance(value, (list, tuple)):
        return dict(enumerate(value))
    if isinstance(value, BaseModel):
        return {**value.__dict__, **(value.__pydantic_extra__ or {}), **(value.__pydantic_private__ or {})}
    if dataclasses.is_dataclass(value):
        return {each.name: getattr(value, each.name, None) for each in dataclasses.fields(value)}
    return None


def _unread(value: Any, error: Any) -> FieldError:
    """An error of reading what was written, described by the value before it was written."""
    for part in error["loc"]:
        parts = _parts(value)
        if not parts or part not in parts:
            break
        value = parts[part]
    message = f"{as_given(value)} is written as JSON that is not read again: {error['msg']}"
    return FieldError(
        json_pointer(error["loc"]), error["type"], f"{message}. {_NAN}" if non_finite(value) else message
    )


def _non_finite(value: Any, at: str) -> Iterator[tuple[str, Any]]:
    if non_finite(value):
        yield at, value
    for name, part in (_parts(value) or {}).items():
        yield from _non_finite(part, at + json_pointer((name,)))
