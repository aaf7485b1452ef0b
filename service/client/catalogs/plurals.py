"""Plural forms of a language, as gettext's headers give them."""

from __future__ import annotations

import gettext
import re
from collections import defaultdict
from dataclasses import dataclass

from service.client.catalogs.errors import CatalogError

_HEADER = re.compile(r"\s*nplurals\s*=\s*(\d+)\s*;\s*plural\s*=\s*([^;]+);?\s*")
_NUMBERS = range(1000)
_SLAVIC = "n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2"
# As in gettext's plural-table.c.
_RULES = {
    "nplurals=1; plural=0;": "ja vi ko zh th id ms lo my km",
    "nplurals=2; plural=(n != 1);": "en de nl sv da no nb nn fo es pt it bg el fi et he eo hu tr ca gl eu af sq hi ta",
    "nplurals=2; plural=(n > 1);": "fr pt-br fa oc",
    "nplurals=3; plural=(n==1 ? 0 : n==0 || (n%100 > 0 && n%100 < 20) ? 1 : 2);": "ro",
    "nplurals=3; plural=(n==1 ? 0 : n>=2 && n<=4 ? 1 : 2);": "cs sk",
    "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);": "pl",
    f"nplurals=3; plural=({_SLAVIC});": "ru uk be sr hr bs",
    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && (n%100<10 || n%100>=20) ? 1 : 2);": "lt",
    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n != 0 ? 1 : 2);": "lv",
    "nplurals=4; plural=(n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3);": "sl",
}
_BY_LANGUAGE = {language: rule for rule, languages in _RULES.items() for language in languages.split()}


@dataclass(frozen=True)
class PluralForms:
    """Which numbers take which form."""

    header: str
    """The value of Plural-Forms."""
    numbers: tuple[frozenset[int], ...]
    """For each form, the numbers below 1000 that take it."""

    @classmethod
    def parse(cls, header: str) -> PluralForms:
        """Read the value of a header Plural-Forms.

        Raises:
            CatalogError: it is malformed.
        """
        found = _HEADER.fullmatch(header)
        if found is None:
            raise CatalogError(f"Plural-Forms {header!r} is not of the form 'nplurals=N; plural=EXPRESSION;'")
        number = int(found.group(1))
        numbers: dict[int, set[int]] = defaultdict(set)
        try:
            form_of = gettext.c2py(found.group(2).strip())
            for n in _NUMBERS:
                numbers[form_of(n)].add(n)
        except (ValueError, ZeroDivisionError) as error:
            raise CatalogError(f"Plural-Forms {header!r}: {error}") from error
        if not 1 <= number <= 8 or max(numbers) >= number:
            raise CatalogError(f"Plural-Forms {header!r}: forms are numbered 0 to nplurals - 1, nplurals 1 to 8")
        return cls(header, tuple(frozenset(numbers[form]) for form in range(number)))

    @classmethod
    def of_language(cls, language: str) -> PluralForms:
        """The forms of a language by its BCP-47 code.

        Raises:
            CatalogError: they are not known here.
        """
        code = language.lower()
        rule = _BY_LANGUAGE.get(code) or _BY_LANGUAGE.get(code.partition("-")[0])
        if rule is None:
            raise CatalogError(f"the plural forms of {language!r} are not known; write Plural-Forms into the header")
        return cls.parse(rule)

    def source_of(self, form: int, singular: str, plural: str, is_same_placeholders: bool) -> str:
        """The text that a form is translated from.

        The singular may do without the number ("One file"), so that a form that other numbers share takes it only
        where both have the same placeholders.
        """
        numbers = self.numbers[form]
        if numbers == {1} or (1 in numbers and len(self.numbers) > 1 and is_same_placeholders):
            return singular
        return plural
