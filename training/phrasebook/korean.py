"""Korean morphology: particles by final consonant, and verb endings in the formal polite style (합니다체)."""

from __future__ import annotations

from dataclasses import dataclass

_FIRST, _NUM_FINALS = 0xAC00, 28
_NIEUN, _RIEUL, _BIEUP, _SSANG_SIOT = 4, 8, 17, 20  # indices of the finals ㄴ, ㄹ, ㅂ, ㅆ
_NUM_VOWELS = 21
_A, _YA, _O, _EU = 0, 2, 8, 18  # indices of the vowels ㅏ, ㅑ, ㅗ, ㅡ
_CONTRACTED = {0: 0, 1: 1, 4: 4, 5: 5, 6: 6, 8: 9, 11: 10, 13: 14, 20: 6}  # 가아 가, 오아 와, 되어 돼, 주어 줘, 지어 져


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


def _vowel(syllable: str) -> int:
    return (ord(syllable) - _FIRST) // _NUM_FINALS % _NUM_VOWELS


def _with_vowel(word: str, index: int) -> str:
    return word[:-1] + chr(ord(word[-1]) + (index - _vowel(word[-1])) * _NUM_FINALS)


def infinitive(stem: str, irregular: str = "") -> str:
    """먹 -> 먹어, 가 -> 가, 마시 -> 마셔, 공부하 -> 공부해; `irregular` is one of "ㅂ ㄷ ㅅ ㅎ 르" or empty.

    하다 and stems in ㅡ are recognised. 돕 and 곱, the only ㅂ stems that take 와, are recognised too.
    """
    if irregular:
        return _irregular_infinitive(stem, irregular)
    vowel = _vowel(stem[-1])
    if final(stem):
        return stem + ("아" if vowel in (_A, _YA, _O) else "어")
    if stem[-1] == "하":
        return _with_vowel(stem, 1)
    if vowel == _EU:
        is_bright = len(stem) > 1 and _vowel(stem[-2]) in (_A, _YA, _O)
        return _with_vowel(stem, _A if is_bright else 4)
    return _with_vowel(stem, _CONTRACTED[vowel]) if vowel in _CONTRACTED else stem + "어"


def copula(noun: str) -> str:
    """Noun with 이에요 or 예요."""
    return noun + ("이에요" if final(noun) else "예요")


def _irregular_infinitive(stem: str, irregular: str) -> str:
    if irregular == "ㅂ":
        return without_final(stem) + ("와" if stem[-1] in "돕곱" else "워")
    if irregular == "ㄷ":
        return infinitive(with_final(without_final(stem), _RIEUL))
    if irregular == "ㅅ":
        return without_final(stem) + infinitive(stem)[-1]
    if irregular == "ㅎ":
        return _with_vowel(without_final(stem), 3 if _vowel(stem[-1]) == _YA else 1)
    if irregular == "르":
        return with_final(stem[:-1], _RIEUL) + ("라" if _vowel(stem[-2]) in (_A, _YA, _O) else "러")
    raise ValueError(f"{irregular} is not an irregular class")


def was(noun: str) -> str:
    """Noun with the past of 이다: 학생이었, 의사였."""
    return noun + ("이었" if final(noun) else "였")


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

    def polite(self) -> str:
        """먹어요."""
        return self.infinitive + "요"

    def polite_past(self) -> str:
        """먹었어요."""
        return with_final(self.infinitive, _SSANG_SIOT) + "어요"

    def polite_future(self) -> str:
        """먹을 거예요."""
        return self.prospective() + " 거예요"

    def honorific_request(self) -> str:
        """가세요, 읽으세요, 만드세요."""
        return self._soft + "세요"

    def polite_question(self) -> str:
        """먹어 주시겠습니까; what `Could you` asks."""
        return self.infinitive + " 주시겠습니까"

    def wish_question(self, is_third_person: bool = False) -> str:
        """먹고 싶습니까; of somebody else 먹고 싶어 합니까."""
        return self.wish(is_third_person)[:-1] + "까"

    def past_progressive(self) -> str:
        """먹고 있었습니다."""
        return self.stem + "고 있었습니다"

    def progressive_question(self) -> str:
        """먹고 있습니까."""
        return self.stem + "고 있습니까"

    def ability_question(self) -> str:
        """먹을 수 있습니까."""
        return self.prospective() + " 수 있습니까"

    def future_question(self) -> str:
        """먹을 것입니까."""
        return self.prospective() + " 것입니까"

    def future_negative(self) -> str:
        """먹지 않을 것입니다."""
        return self.stem + "지 않을 것입니다"

    def permission_question(self) -> str:
        """먹어도 됩니까."""
        return self.infinitive + "도 됩니까"

    def no_permission(self) -> str:
        """먹으면 안 됩니다."""
        return self.condition() + " 안 됩니다"

    def time(self) -> str:
        """먹을 때."""
        return self.prospective() + " 때"

    def purpose(self) -> str:
        """먹으러, 만들러."""
        return self.eu_stem + "러"

    def contrast(self) -> str:
        """먹지만."""
        return self.stem + "지만"

    def past_contrast(self) -> str:
        """먹었지만."""
        return with_final(self.infinitive, _SSANG_SIOT) + "지만"

    def sequence(self) -> str:
        """먹고."""
        return self.stem + "고"

    def before(self) -> str:
        """먹기 전에."""
        return self.stem + "기 전에"

    def after(self) -> str:
        """먹은 후에, 간 후에, 만든 후에."""
        return self.quality() + " 후에"

    def quality(self) -> str:
        """Of an adjective before its noun: 작은, 큰, 무거운, 긴."""
        return with_final(self._soft, _NIEUN)

    def gerund(self) -> str:
        """먹는 것, 만드는 것."""
        stem = without_final(self.stem) if final(self.stem) == _RIEUL else self.stem
        return stem + "는 것"

    def after_noun(self, noun: str) -> Verb:
        """The same verb with words before it: 먹다 -> 빵을 먹다."""
        return Verb(f"{noun} {self.stem}", f"{noun} {self.infinitive}", f"{noun} {self.eu_stem}")
