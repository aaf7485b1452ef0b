"""JSON Schemas of messages, as proto3 JSON writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Schema: TypeAlias = dict[str, Any]

_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "format": "uint64"},
}
"""Numbers of 64 bits are strings, for JavaScript has none so long."""


def reference(element: Descriptor | EnumDescriptor) -> Schema:
    """To the schema of a message or an enum."""
    return {"$ref": f"#/components/schemas/{element.name}"}


def schemas_of(
    requests: Iterable[Descriptor], responses: Iterable[Descriptor], comments: Mapping[str, str]
) -> dict[str, Schema]:
    """By name: all messages and enums that requests and responses hold.

    What only requests hold takes no other fields; what only responses hold has all fields that are always there.
    """
    asked, answered = _reachable(requests), _reachable(responses)
    schemas = {}
    for element in sorted({*asked, *answered}, key=lambda element: element.name):
        if isinstance(element, EnumDescriptor):
            schemas[element.name] = _enum(element, comments)
        else:
            schemas[element.name] = _message(
                element, comments, is_asked=element in asked, is_answered=element in answered
            )
    return schemas


def field_schema(field: FieldDescriptor, comments: Mapping[str, str]) -> Schema:
    """Of one field."""
    element = field.message_type or field.enum_type
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        schema: Schema = {"type": "object", "additionalProperties": field_schema(value, {})}
    else:
        schema = reference(element) if element is not None else dict(_SCALARS[field.type])
        if field.is_repeated:
            schema = {"type": "array", "items": schema}
    comment = comments.get(field.full_name)
    return schema | ({"description": comment} if comment else {})


def _message(message: Descriptor, comments: Mapping[str, str], is_asked: bool, is_answered: bool) -> Schema:
    schema: Schema = {"type": "object"}
    if message.full_name in comments:
        schema["description"] = comments[message.full_name]
    schema["properties"] = {field.json_name: field_schema(field, comments) for field in message.fields}
    if not is_answered:
        schema["additionalProperties"] = False
    elif not is_asked:
        required = [field.json_name for field in message.fields if not field.has_presence]
        schema |= {"required": required} if required else {}
        choices = [one for one in message.oneofs if one.fields[0].name != one.name.removeprefix("_")]
        if len(choices) == 1:
            schema["oneOf"] = [{"required": [field.json_name]} for field in choices[0].fields]
    return schema


def _enum(enum: EnumDescriptor, comments: Mapping[str, str]) -> Schema:
    values = (f"- `{value.name}`: {comments.get(f'{enum.full_name}.{value.name}', '')}" for value in enum.values)
    told = [comments.get(enum.full_name, ""), *values]
    return {"type": "string", "description": "\n".join(told), "enum": [value.name for value in enum.values]}


def _reachable(messages: Iterable[Descriptor]) -> set[Descriptor | EnumDescriptor]:
    found: set[Descriptor | EnumDescriptor] = set()
    waiting: list[Descriptor | EnumDescriptor] = list(messages)
    while waiting:
        element = waiting.pop()
        if element in found:
            continue
        found.add(element)
        if isinstance(element, Descriptor):
            for field in element.fields:
                waiting += [inner for inner in (field.message_type, field.enum_type) if inner is not None]
    return {element for element in found if isinstance(element, EnumDescriptor) or not element.GetOptions().map_entry}
