"""Reads a page as a browser would and lists what must not be there."""

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr"}
SHAPES = {"rect", "line", "circle"}
ALLOWED = {
    *VOID, *SHAPES, "html", "head", "title", "style", "body", "header", "section", "footer", "div", "span", "p", "h1",
    "h2", "b", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "dl", "dt", "dd", "details",
    "summary", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "bdi", "mark", "svg", "g", "text", "desc", "defs",
    "pattern",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "rel", "href", "class", "id", "dir", "open", "scope", "title",
    "start", "style", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "dx", "rx", "role", "text-anchor",
    "aria-hidden", "aria-labelledby", "cx", "cy", "r", "patternunits", "patterntransform",
}  # fmt: skip


class Page(HTMLParser):
    """`faults` are elements, attributes and nestings that no page of ours has; `words` is the visible text."""

    def __init__(self, html):
        super().__init__()
        self.faults, self.open, self.counts, self.ids = [], [], {}, []
        self._words = []
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.open]
        self.words = " ".join("".join(self._words).split())

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in ALLOWED:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            self._attribute(tag, name, value or "")
        if tag not in VOID:
            self.open.append(tag)

    def _attribute(self, tag, name, value):
        if name not in ATTRIBUTES:
            self.faults.append(f"<{tag} {name}>")
        if name == "href" and (tag, value) != ("link", "data:,"):
            self.faults.append(f"{tag} href={value}")
        if name == "style" and value not in ("text-align:left", "text-align:center", "text-align:right"):
            self.faults.append(f"{tag} style={value}")
        if name == "id":
            self.ids.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()
        if tag not in VOID | SHAPES:
            self.faults.append(f"<{tag}/>")  # HTML takes it for a start tag

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> inside {self.open[-3:]}")
        else:
            self.open.pop()

    def handle_comment(self, data):
        self.faults.append(f"comment {data[:40]}")

    def handle_data(self, data):
        if not {"style", "desc"} & set(self.open):
            self._words.append(data)
