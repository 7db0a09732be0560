"""A recorded computation as a picture: Graphviz DOT text, and a tree for the terminal."""

import os
from typing import Any

from tapejax._src.autodiff.explain.dataflow import History, Step
from tapejax._src.autodiff.record import Key
from tapejax._src.core.tensor import Tensor
from tapejax._src.core.variable import Variable

__all__ = ["Drawing"]


class Drawing:
    """A picture of the ops between sources and targets. ``print`` shows it as a tree.

    Attributes:
      dot: the graph as the text of a Graphviz file (for ``dot -Tsvg``).
    """

    def __init__(self, history: History, targets: list[Tensor], sources: list[Any]):
        self._names: dict[Key, str] = {}
        for i, source in enumerate(sources):
            name = source.name if isinstance(source, Variable) else f"source {i}"
            aval = (source._tensor if isinstance(source, Variable) else source).aval
            for key in history.keys(source):
                self._names.setdefault(key, f"{name}: {aval}")
        good = history.downstream(self._names, True)
        self._targets = [history.key(t) for t in targets]
        upstream = set().union(*(history.upstream(k) for k in self._targets))
        self._wanted = good & upstream
        self._producer: dict[Key, Step] = {
            k: s for k, s in history.producer.items() if k in self._wanted and k not in self._names and s.passes
        }

    def _inputs(self, step: Step) -> list[Key]:
        return [k for k in dict.fromkeys(step.ins) if k in self._wanted]

    def _label(self, key: Key) -> str:
        if key in self._names:
            return self._names[key]
        step = self._producer[key]
        node = step.node
        assert node.op is not None
        where = f"  {os.path.basename(node.where[0])}:{node.where[1]}" if node.where else ""
        return f"{node.op.name.lstrip('_')}: {node.avals[step.outs.index(key)]}{where}"

    @property
    def dot(self) -> str:
        """The graph as Graphviz DOT text."""
        order = [*self._names, *self._producer]
        number = {k: i for i, k in enumerate(order)}
        lines = ["digraph tape {", "  node [shape=box, fontname=monospace];"]
        for key, i in number.items():
            if key in self._wanted:
                label = self._label(key).replace("\\", "\\\\").replace('"', '\\"').replace("  ", "\\n")
                style = ", style=rounded" if key in self._names else ""
                lines.append(f'  n{i} [label="{label}"{style}];')
        lines += [
            f"  n{number[k]} -> n{number[key]};" for key, step in self._producer.items() for k in self._inputs(step)
        ]
        return "\n".join([*lines, "}"])

    def __str__(self) -> str:
        lines: list[str] = []
        seen: set[Key] = set()
        # A stack of (key of a value, prefix of its line, prefix of the lines of its inputs). It takes the place of
        # recursion, because chains of ops can be longer than Python's limit.
        todo = [(k, "", "") for k in reversed(self._targets)]
        while todo:
            key, before, below = todo.pop()
            if key not in self._wanted:
                lines.append(f"{before}(does not depend on the sources)")
                continue
            step = self._producer.get(key)
            again = key in seen and step is not None
            seen.add(key)
            lines.append(f"{before}{self._label(key)}{'  (above)' if again else ''}")
            inputs = self._inputs(step) if step is not None and not again else []
            for i, k in reversed(list(enumerate(inputs))):
                last = i == len(inputs) - 1
                # A single input is not indented, so that a chain of ops stays in one column.
                todo.append(
                    (
                        k,
                        f"{below}{'└─ ' if last else '├─ '}" if len(inputs) > 1 else f"{below}↑ ",
                        below + ("   " if last else "│  ") if len(inputs) > 1 else below,
                    )
                )
        return "\n".join(lines)

    __repr__ = __str__
