"""The whole document: the routes of the protos, and LibreTranslate's paths, which stand in a file of their own."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from service.api.http.openapi.comments import comments_of
from service.api.http.openapi.schemas import Schema, field_schema, reference, schemas_of
from service.api.http.routes import Route, routes_of

_LIBRETRANSLATE = Path(__file__).with_name("libretranslate.json")
_OURS = "service/pb/"
_INFO = {
    "title": "seq2serve",
    "version": "v1",
    "summary": "Translation, and what the model attends to.",
    "description": "The RPCs of the protos as JSON. Fields are written in lowerCamelCase and read in snake_case, too; "
    "fields that have no value of their own are written with their default. An error is a google.rpc.Status.",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_STATUS: Schema = {
    "type": "object",
    "description": "google.rpc.Status: what went wrong.",
    "properties": {
        "code": {"type": "integer", "format": "int32", "description": "The code of gRPC, such as 3, INVALID_ARGUMENT."},
        "message": {"type": "string", "description": "For people."},
        "details": {
            "type": "array",
            "description": "For programs: always google.rpc.ErrorInfo; where they say more, BadRequest, RetryInfo, "
            "QuotaFailure, ResourceInfo and RequestInfo.",
            "items": {
                "type": "object",
                "properties": {"@type": {"type": "string", "description": "Which message it is."}},
                "required": ["@type"],
            },
        },
    },
    "required": ["code", "message"],
}
_REQUEST_ID = {
    "description": "Names the call in logs and traces; what the caller gave, or a new one.",
    "schema": {"type": "string"},
}
_TIMEOUT = {
    "name": "Grpc-Timeout",
    "in": "header",
    "description": "How long the caller waits, as gRPC writes it: 8 digits or fewer and H, M, S, m, u or n, as in 5S. "
    "Then the work is stopped and the answer is 504. Default: no limit.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,8}[HMSmun]$"},
}


def document(files: Iterable[FileDescriptorProto]) -> dict[str, Any]:
    """OpenAPI 3.1 of the protos among `files`, which have source information."""
    ours = [file for file in files if file.name.startswith(_OURS)]
    comments = comments_of(ours)
    services = [service for file in ours for service in _loaded(file).services_by_name.values()]
    routes = list(routes_of(services))
    asked = (route.request for route in routes if route.is_body_whole)
    schemas = schemas_of(asked, (route.rpc.output_type for route in routes), comments)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, comments)
    compatible = json.loads(_LIBRETRANSLATE.read_text())
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "tags": [
            *({"name": service.name, "description": comments[service.full_name]} for service in services),
            *compatible["tags"],
        ],
        "paths": paths | compatible["paths"],
        "components": {
            "schemas": schemas | {"Status": _STATUS} | compatible["schemas"],
            "parameters": {"Timeout": _TIMEOUT},
            "headers": {"RequestId": _REQUEST_ID},
            "responses": {"Failure": _failure()} | compatible["responses"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Where the service has a list of clients."}
            },
        },
    }


def _loaded(file: FileDescriptorProto) -> FileDescriptor:
    module = importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
    descriptor: FileDescriptor = module.DESCRIPTOR
    return descriptor


def _operation(route: Route, comments: Mapping[str, str]) -> dict[str, Any]:
    description = comments[route.rpc.full_name]
    operation: dict[str, Any] = {
        "operationId": route.rpc.name[0].lower() + route.rpc.name[1:],
        "tags": [route.rpc.containing_service.name],
        "summary": description.partition(". ")[0].rstrip("."),
        "description": description,
        "parameters": [*_parameters(route, comments), {"$ref": "#/components/parameters/Timeout"}],
        "responses": {"200": _response(route), "default": {"$ref": "#/components/responses/Failure"}},
    }
    if route.is_body_whole:
        content = {"application/json": {"schema": reference(route.request)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route, comments: Mapping[str, str]) -> list[dict[str, Any]]:
    parameters = []
    for field in () if route.is_body_whole else route.request.fields:
        is_in_path = f"{{{field.name}}}" in route.path
        schema = field_schema(field, comments)
        parameters.append(
            {
                "name": field.name if is_in_path else field.json_name,
                "in": "path" if is_in_path else "query",
                "required": is_in_path,
                "description": schema.pop("description", ""),
                "schema": schema,
            }
        )
    return parameters


def _response(route: Route) -> dict[str, Any]:
    schema, told, media_type = reference(route.rpc.output_type), "The answer.", "application/json"
    if route.rpc.server_streaming:
        told, media_type = "One message a line; a failure on the way is the last line.", "application/x-ndjson"
        failed = {"type": "object", "properties": {"error": {"$ref": "#/components/schemas/Status"}}}
        schema = {"anyOf": [schema, failed | {"required": ["error"]}]}
    return {
        "description": told,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
        "content": {media_type: {"schema": schema}},
    }


def _failure() -> dict[str, Any]:
    return {
        "description": "What went wrong; the HTTP status is that of the gRPC code.",
        "headers": {
            "X-Request-Id": {"$ref": "#/components/headers/RequestId"},
            "Retry-After": {"description": "Seconds, where coming back helps.", "schema": {"type": "integer"}},
        },
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}},
    }
