"""What scenes are made of: objects, colours, places and numbers, with their English and Korean words."""

from __future__ import annotations

from dataclasses import dataclass

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Noun:
    """A thing that can be drawn; see `shapes`."""

    name: str
    plural: str
    korean: str
    counter: str = "개"
    """What Korean counts it by: 나무 세 그루."""


@dataclass(frozen=True)
class Colour:
    """A colour and the words before a noun."""

    name: str
    korean: str
    rgb: Rgb


@dataclass(frozen=True)
class Place:
    """One of nine parts of a picture: column and row, each 0, 1 or 2."""

    column: int
    row: int
    english: str
    korean: str


NOUNS = (
    Noun("circle", "circles", "원"),
    Noun("square", "squares", "사각형"),
    Noun("triangle", "triangles", "삼각형"),
    Noun("star", "stars", "별"),
    Noun("heart", "hearts", "하트"),
    Noun("diamond", "diamonds", "마름모"),
    Noun("ring", "rings", "고리"),
    Noun("cross", "crosses", "십자가"),
    Noun("moon", "moons", "달"),
    Noun("house", "houses", "집", "채"),
    Noun("tree", "trees", "나무", "그루"),
    Noun("fish", "fish", "물고기", "마리"),
    Noun("car", "cars", "자동차", "대"),
    Noun("flower", "flowers", "꽃", "송이"),
    Noun("cup", "cups", "컵"),
    Noun("boat", "boats", "배", "척"),
    Noun("mushroom", "mushrooms", "버섯"),
    Noun("balloon", "balloons", "풍선"),
)

COLOURS = (
    Colour("red", "빨간", (214, 32, 32)),
    Colour("orange", "주황색", (242, 132, 20)),
    Colour("yellow", "노란", (246, 214, 36)),
    Colour("green", "초록색", (42, 158, 62)),
    Colour("blue", "파란", (38, 84, 212)),
    Colour("purple", "보라색", (128, 50, 174)),
    Colour("pink", "분홍색", (246, 146, 188)),
    Colour("brown", "갈색", (122, 74, 36)),
    Colour("black", "검은", (22, 22, 24)),
    Colour("white", "하얀", (250, 250, 250)),
    Colour("gray", "회색", (132, 134, 138)),
)

PLACES = (
    Place(0, 0, "at the top left", "왼쪽 위에"),
    Place(1, 0, "at the top", "위쪽에"),
    Place(2, 0, "at the top right", "오른쪽 위에"),
    Place(0, 1, "on the left", "왼쪽에"),
    Place(1, 1, "in the middle", "가운데에"),
    Place(2, 1, "on the right", "오른쪽에"),
    Place(0, 2, "at the bottom left", "왼쪽 아래에"),
    Place(1, 2, "at the bottom", "아래쪽에"),
    Place(2, 2, "at the bottom right", "오른쪽 아래에"),
)

SIZES = {"big": "큰", "small": "작은"}
NUMBERS = {2: ("Two", "두"), 3: ("Three", "세"), 4: ("Four", "네")}

CONTAINERS = frozenset({"circle", "square", "diamond", "heart"})
"""Large enough inside for another thing to be seen there."""
FILLED = frozenset({"circle", "square", "triangle", "star", "heart", "diamond", "moon", "flower"})
"""What is put inside: recognisable when small."""
