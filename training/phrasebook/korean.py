"""Korean morphology: particles by final consonant, and verb endings in the formal polite style (합니다체)."""

from __future__ import annotations

from dataclasses import dataclass

_FIRST, _NUM_FINALS = 0xAC00, 28
_RIEUL, _BIEUP, _SSANG_SIOT = 8, 17, 20  # indices of the finals ㄹ, ㅂ, ㅆ


def final(word: str) -> int:
    """Index of the last syllable's final consonant; 0 where it has none or is not Hangul."""
    code = ord(word[-1]) - _FIRST
    return code % _NUM_FINALS if 0 <= code < 11172 else 0


def with_final(word: str, index: int) -> str:
    """Add a final consonant to an open last syllable: 가 + ㅂ -> 갑."""
    if final(word):
        raise ValueError(f"{word} ends in a consonant already")
    return word[:-1] + chr(ord(word[-1]) + index)


def without_final(word: str) -> str:
    """Remove the last syllable's final consonant: 만들 -> 만드."""
    return word[:-1] + chr(ord(word[-1]) - final(word))


def topic(noun: str) -> str:
    """Noun with 은 or 는."""
    return noun + ("은" if final(noun) else "는")


def subject(noun: str) -> str:
    """Noun with 이 or 가; 나, 저, 너 and 누구 change: 내가."""
    contracted = {"나": "내가", "저": "제가", "너": "네가", "누구": "누가"}.get(noun)
    return contracted or noun + ("이" if final(noun) else "가")


def object_(noun: str) -> str:
    """Noun with 을 or 를."""
    return noun + ("을" if final(noun) else "를")


def together(noun: str) -> str:
    """Noun with 과 or 와."""
    return noun + ("과" if final(noun) else "와")


def by(noun: str) -> str:
    """Noun with 으로 or 로; after ㄹ it is 로."""
    return noun + ("으로" if final(noun) not in (0, _RIEUL) else "로")


@dataclass(frozen=True)
class Verb:
    """A verb or adjective by its stem (먹), its infinitive (먹어) and its stem before 으 (먹으, 도우, 만들)."""

    stem: str
    infinitive: str
    eu_stem: str

    @classmethod
    def of(cls, stem: str, infinitive: str, eu_stem: str | None = None) -> Verb:
        """The stem before 으 follows from the stem, except for irregular verbs, which give it."""
        regular = stem + "으" if final(stem) not in (0, _RIEUL) else stem
        return cls(stem, infinitive, eu_stem or regular)

    @property
    def _soft(self) -> str:
        """The stem before 으, its ㄹ dropped."""
        return without_final(self.eu_stem) if final(self.eu_stem) == _RIEUL else self.eu_stem

    def present(self) -> str:
        """먹습니다, 갑니다, 만듭니다."""
        if final(self.stem) == _RIEUL:
            return with_final(without_final(self.stem), _BIEUP) + "니다"
        return self.stem + "습니다" if final(self.stem) else with_final(self.stem, _BIEUP) + "니다"

    def question(self) -> str:
        """먹습니까, 갑니까."""
        return self.present()[:-1] + "까"

    def past(self) -> str:
        """먹었습니다, 갔습니다."""
        return with_final(self.infinitive, _SSANG_SIOT) + "습니다"

    def past_question(self) -> str:
        """먹었습니까."""
        return self.past()[:-1] + "까"

    def prospective(self) -> str:
        """먹을, 갈, 만들."""
        return self.eu_stem if final(self.eu_stem) else with_final(self.eu_stem, _RIEUL)

    def future(self) -> str:
        """먹을 것입니다."""
        return self.prospective() + " 것입니다"

    def negative(self) -> str:
        """먹지 않습니다."""
        return self.stem + "지 않습니다"

    def past_negative(self) -> str:
        """먹지 않았습니다."""
        return self.stem + "지 않았습니다"

    def wish(self, is_third_person: bool = False) -> str:
        """먹고 싶습니다; of somebody else 먹고 싶어 합니다."""
        return self.stem + ("고 싶어 합니다" if is_third_person else "고 싶습니다")

    def ability(self) -> str:
        """먹을 수 있습니다."""
        return self.prospective() + " 수 있습니다"

    def inability(self) -> str:
        """먹을 수 없습니다."""
        return self.prospective() + " 수 없습니다"

    def duty(self) -> str:
        """먹어야 합니다."""
        return self.infinitive + "야 합니다"

    def progressive(self) -> str:
        """먹고 있습니다."""
        return self.stem + "고 있습니다"

    def request(self) -> str:
        """먹어 주세요."""
        return self.infinitive + " 주세요"

    def prohibition(self) -> str:
        """먹지 마세요."""
        return self.stem + "지 마세요"

    def proposal(self) -> str:
        """먹읍시다, 갑시다, 만듭시다."""
        return with_final(self._soft, _BIEUP) + "시다"

    def condition(self) -> str:
        """먹으면, 가면, 만들면."""
        return self.eu_stem + "면"

    def reason(self) -> str:
        """먹어서."""
        return self.infinitive + "서"
