# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The intrinsic operations (DSP0200) over the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Callable, Optional

from . import traversal, xml_out
from .class_xml import class_xml
from .errors import (
    FILTERED_ENUMERATION_NOT_SUPPORTED,
    INVALID_ENUMERATION_CONTEXT,
    INVALID_PARAMETER,
    NOT_FOUND,
    NOT_SUPPORTED,
    CimError,
)
from .pull import Enumerations
from .repository import Repository
from .schema import CimClass
from .values import ClassPath, Item, Path
from .xml_in import Call

Names = Optional[frozenset[str]]
_NUMBER = re.compile("[0-9]{1,20}")
NOT_OFFERED = (
    "ExecQuery",
    "OpenQueryInstances",
    "CreateInstance",
    "DeleteInstance",
    "CreateClass",
    "ModifyClass",
    "DeleteClass",
    "GetProperty",
    "SetProperty",
    "EnumerateQualifiers",
    "GetQualifier",
    "SetQualifier",
    "DeleteQualifier",
    "EnumerationCount",
    "ModifyInstance",
)


class Arguments:
    """The parameters of one call, read as what they should be."""

    def __init__(self, call: Call) -> None:
        self._values = call.parameters
        self.call = call

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        value = self._values.get(name.lower())
        if value is None:
            return default
        if not isinstance(value, str) or value.strip().lower() not in ("true", "false"):
            raise CimError(INVALID_PARAMETER, "%s is no boolean" % name)
        return value.strip().lower() == "true"

    def number(self, name: str, default: int) -> int:
        """A number that is not negative."""
        value = self._values.get(name.lower())
        if value is None:
            return default
        if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
            raise CimError(INVALID_PARAMETER, "%s is no number" % name)
        return int(value)

    def text(self, name: str) -> str:
        """A string; empty where it was not given."""
        value = self._values.get(name.lower())
        return value if isinstance(value, str) else ""

    def names(self, name: str) -> Names:
        """A list of names, lower case; None where it was not given."""
        value = self._values.get(name.lower())
        if value is None:
            return None
        items = value if isinstance(value, list) else [value]
        return frozenset(item.lower() for item in items if isinstance(item, str))

    def class_name(self, name: str, needed: bool = False) -> str:
        """A class's name; empty where it was not given."""
        value = self._values.get(name.lower())
        if isinstance(value, ClassPath):
            return value.cls
        if value is not None or needed:
            raise CimError(INVALID_PARAMETER, "%s is no class" % name)
        return ""

    def instance(self, name: str) -> Path:
        """An instance's path."""
        value = self._values.get(name.lower())
        if not isinstance(value, Path):
            raise CimError(INVALID_PARAMETER, "%s is no instance path" % name)
        return value

    def object(self, name: str) -> Any:
        """A path of an instance or of a class."""
        value = self._values.get(name.lower())
        if not isinstance(value, (Path, ClassPath)):
            raise CimError(INVALID_PARAMETER, "%s is no object" % name)
        return value


class Operations:
    """Carries out intrinsic calls; every answer is the XML of an IMETHODRESPONSE."""

    def __init__(self, repository: Repository, paths: xml_out.PathWriter, pull_offered: Callable[[], bool]) -> None:
        self.repository = repository
        self.paths = paths
        self.instances = xml_out.InstanceWriter()
        self._enumerations = Enumerations()
        self._pull_offered = pull_offered
        self._known: dict[str, Callable[[str, Arguments], list[str]]] = {
            "EnumerateInstances": self._enumerate_instances,
            "EnumerateInstanceNames": self._enumerate_instance_names,
            "GetInstance": self._get_instance,
            "EnumerateClasses": self._enumerate_classes,
            "EnumerateClassNames": self._enumerate_class_names,
            "GetClass": self._get_class,
            "Associators": self._associators,
            "AssociatorNames": self._associator_names,
            "References": self._references,
            "ReferenceNames": self._reference_names,
        }

    def run(self, call: Call) -> str:
        """Raises CimError."""
        namespace = self.repository.namespace(call.namespace)
        known = self._known.get(call.name)
        if known is not None:
            return xml_out.intrinsic_response(call.name, known(namespace, Arguments(call)))
        if call.name in NOT_OFFERED:
            raise CimError(NOT_SUPPORTED, "%s is not offered" % call.name)
        if call.name.startswith(("Open", "Pull")) or call.name == "CloseEnumeration":
            return self._pulled(namespace, Arguments(call))
        raise CimError(NOT_SUPPORTED, "there is no operation %s" % call.name)

    # Instances

    def _items(self, namespace: str, name: str) -> Iterator[Item]:
        for provider in self.repository.providers(name, namespace):
            yield from provider.items()

    def _cls(self, name: str) -> CimClass:
        found = self.repository.schema.get(name)
        assert found is not None
        return found

    @staticmethod
    def _wanted(arguments: Arguments, cls: Optional[CimClass] = None) -> Names:
        wanted = arguments.names("PropertyList")
        if cls is not None and not arguments.flag("DeepInheritance", True):
            own = frozenset(cls.properties)
            wanted = own if wanted is None else wanted & own
        return wanted

    def _writer(self, arguments: Arguments, wanted: Names) -> Callable[[Item], str]:
        """INSTANCE of any item. LocalOnly counts only where it is said: the default of old servers hides too much."""
        origin = arguments.flag("IncludeClassOrigin", False)
        local = arguments.flag("LocalOnly", False)
        classes: dict[str, tuple[CimClass, Names]] = {}

        def write(item: Item) -> str:
            if item.path.cls not in classes:
                cls = self._cls(item.path.cls)
                names = wanted
                if local:
                    own = frozenset(cls.own) | frozenset(key.name.lower() for key in cls.keys)
                    names = own if wanted is None else wanted & own
                classes[item.path.cls] = (cls, names)
            cls, names = classes[item.path.cls]
            return self.instances.write(item, cls, names, origin)

        return write

    def _enumerate_instances(self, namespace: str, arguments: Arguments) -> list[str]:
        cls = self.repository.cls(namespace, arguments.class_name("ClassName", True))
        write = self._writer(arguments, self._wanted(arguments, cls))
        return [
            "<VALUE.NAMEDINSTANCE>%s%s</VALUE.NAMEDINSTANCE>" % (xml_out.instance_name(item.path), write(item))
            for item in self._items(namespace, cls.name)
        ]

    def _enumerate_instance_names(self, namespace: str, arguments: Arguments) -> list[str]:
        cls = self.repository.cls(namespace, arguments.class_name("ClassName", True))
        return [xml_out.instance_name(item.path) for item in self._items(namespace, cls.name)]

    def _get_instance(self, namespace: str, arguments: Arguments) -> list[str]:
        item = self.repository.find(namespace, arguments.instance("InstanceName"))
        return [self._writer(arguments, self._wanted(arguments))(item)]

    # Classes

    def _class_list(self, namespace: str, arguments: Arguments) -> list[CimClass]:
        schema = self.repository.schema
        name = arguments.class_name("ClassName")
        if name:
            self.repository.cls(namespace, name)
        deep = arguments.flag("DeepInheritance", False)
        found = schema.subclasses(name) if deep else schema.children(name)
        return [item for item in found if self._visible(namespace, item)]

    def _visible(self, namespace: str, cls: CimClass) -> bool:
        return not cls.interop or namespace == self.repository.namespace("interop")

    def _class_xml(self, arguments: Arguments, cls: CimClass, local: bool, qualifiers: bool = True) -> str:
        return class_xml(
            cls,
            arguments.flag("LocalOnly", local),
            arguments.flag("IncludeQualifiers", qualifiers),
            arguments.flag("IncludeClassOrigin", False),
            arguments.names("PropertyList"),
        )

    def _enumerate_classes(self, namespace: str, arguments: Arguments) -> list[str]:
        return [self._class_xml(arguments, cls, True) for cls in self._class_list(namespace, arguments)]

    def _enumerate_class_names(self, namespace: str, arguments: Arguments) -> list[str]:
        return ['<CLASSNAME NAME="%s"/>' % cls.name for cls in self._class_list(namespace, arguments)]

    def _get_class(self, namespace: str, arguments: Arguments) -> list[str]:
        cls = self.repository.cls(namespace, arguments.class_name("ClassName", True), NOT_FOUND)
        return [self._class_xml(arguments, cls, True)]

    # Associations

    def _related(self, namespace: str, arguments: Arguments, references: bool) -> list[Item]:
        """The instances at the other ends, or those in between."""
        path = arguments.instance("ObjectName" if "objectname" in arguments.call.parameters else "InstanceName")
        question = traversal.Question.read(self.repository, namespace, arguments)
        found = traversal.references if references else traversal.associators
        return found(self.repository, namespace, path, question)

    def _objects(self, namespace: str, arguments: Arguments, references: bool, with_values: bool) -> list[str]:
        target = arguments.object("ObjectName")
        if isinstance(target, ClassPath):
            question = traversal.Question.read(self.repository, namespace, arguments)
            classes = traversal.related_classes(self.repository, namespace, target.cls, question, references)
            paths = [(cls, self.paths.cls(ClassPath(cls.name, namespace))) for cls in classes]
            if not with_values:
                return ["<OBJECTPATH>%s</OBJECTPATH>" % path for _cls, path in paths]
            return [
                "<VALUE.OBJECTWITHPATH>%s%s</VALUE.OBJECTWITHPATH>"
                % (path, self._class_xml(arguments, cls, False, False))
                for cls, path in paths
            ]
        items = self._related(namespace, arguments, references)
        if not with_values:
            return ["<OBJECTPATH>%s</OBJECTPATH>" % self.paths.instance(item.path) for item in items]
        write = self._writer(arguments, self._wanted(arguments))
        return [
            "<VALUE.OBJECTWITHPATH>%s%s</VALUE.OBJECTWITHPATH>" % (self.paths.instance(item.path), write(item))
            for item in items
        ]

    def _associators(self, namespace: str, arguments: Arguments) -> list[str]:
        return self._objects(namespace, arguments, False, True)

    def _associator_names(self, namespace: str, arguments: Arguments) -> list[str]:
        return self._objects(namespace, arguments, False, False)

    def _references(self, namespace: str, arguments: Arguments) -> list[str]:
        return self._objects(namespace, arguments, True, True)

    def _reference_names(self, namespace: str, arguments: Arguments) -> list[str]:
        return self._objects(namespace, arguments, True, False)

    # Pulled enumerations

    def _pulled(self, namespace: str, arguments: Arguments) -> str:
        name = arguments.call.name
        if not self._pull_offered():
            raise CimError(NOT_SUPPORTED, "%s is not offered" % name)
        if name == "CloseEnumeration":
            self._enumerations.close(arguments.text("EnumerationContext"))
            return xml_out.intrinsic_response(name, None)
        count = arguments.number("MaxObjectCount", 0)
        if name.startswith("Pull"):
            if name not in ("PullInstancesWithPath", "PullInstancePaths"):
                raise CimError(INVALID_ENUMERATION_CONTEXT, "%s has no enumeration that it could read" % name)
            context = arguments.text("EnumerationContext")
            found = self._enumerations.pull(name[4:], context, count)
        else:
            kind, parts = self._opened(namespace, arguments)
            found = self._enumerations.open(kind, parts, count, arguments.number("OperationTimeout", 0))
        taken, context, end = found
        extra = xml_out.out_parameter("EndOfSequence", "boolean", end)
        extra += xml_out.out_parameter("EnumerationContext", "string", context)
        return xml_out.intrinsic_response(name, taken, extra)

    def _opened(self, namespace: str, arguments: Arguments) -> tuple[str, list[str]]:
        name = arguments.call.name
        if arguments.text("FilterQueryLanguage") or arguments.text("FilterQuery"):
            raise CimError(FILTERED_ENUMERATION_NOT_SUPPORTED, "filters are not offered")
        if name in ("OpenEnumerateInstances", "OpenEnumerateInstancePaths"):
            cls = self.repository.cls(namespace, arguments.class_name("ClassName", True))
            items = list(self._items(namespace, cls.name))
            write = self._writer(arguments, self._wanted(arguments, cls))
        elif name in (
            "OpenAssociatorInstances",
            "OpenAssociatorInstancePaths",
            "OpenReferenceInstances",
            "OpenReferenceInstancePaths",
        ):
            items = self._related(namespace, arguments, name.startswith("OpenReference"))
            write = self._writer(arguments, self._wanted(arguments))
        else:
            raise CimError(NOT_SUPPORTED, "there is no operation %s" % name)
        if name.endswith("Paths"):
            return "InstancePaths", [self.paths.instance(item.path) for item in items]
        return "InstancesWithPath", [
            "<VALUE.INSTANCEWITHPATH>%s%s</VALUE.INSTANCEWITHPATH>" % (self.paths.instance(item.path), write(item))
            for item in items
        ]
