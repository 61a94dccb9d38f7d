"""Which encoding bytes without a mark are in: what charset-normalizer makes of them, and whether the letters fit."""

import re
from collections import Counter
from unicodedata import category

from charset_normalizer import from_bytes

_USUAL = (  # by how common they are: of guesses that are about as good the first is taken
    *("cp1252", "cp1251", "cp1250", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "cp866"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
)
_CLOSE, _MESSY = 0.03, 0.3  # of sums of shares; of charset-normalizer's mess, above which nothing is text
_ENOUGH = 2**16  # characters
_SHOUTED = 0.15  # of a capital after a capital
_ALPHABETS = (  # beyond ASCII, of languages of which others have the same bytes for other letters
    *("äöüßéàèêëîïôœçùûâÿæ", "áéíóúüñçàèòïãõâêôìù", "åäöæøéü", "áéíóúýþæöð", "äöõüšž"),  # western and northern
    *("çğıöşüâîû", "ąćęłńóśźż", "áčďéěíňóřšťúůýžľĺŕôä", "áéíóöőúüű", "ăâîșțşţ", "čćđšž", "ąčęėįšųūž", "āčēģīķļņšūž"),
    *(
        "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
        "абвгґдеєжзиіїйклмнопрстуфхцчшщьюяўыэё",
        "абвгдђежзијклљмнњопрстћуфхцчџшѓѕќ",
    ),
    *("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ", "אבגדהוזחטיךכלםמןנסעףפץצקרשת"),
    "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگ",
)
_UNSPOKEN = re.compile("[бвгджзйклмнпрстфхцчшщ]{5,}", re.IGNORECASE)  # what small letters and capitals, swapped, make
_BETWEEN = frozenset("’‘´·–—…‐\xad")  # stand between letters in some language


def guess(lines: bytes) -> str:
    """The encoding that lines which are not UTF-8 are most likely in; empty where none of the usual ones will do."""
    sums: dict[str, float] = {}
    for match in from_bytes(lines, cp_isolation=list(_USUAL), threshold=_MESSY):
        for name in ({match.encoding, *match.could_be_from_charset} & set(_USUAL)) - set(sums):
            sums[name] = match.chaos - match.coherence / 2 + _odd(lines.decode(name, "replace")[:_ENOUGH])
    return next((name for name in _USUAL if sums.get(name, 9) <= min(sums.values(), default=0) + _CLOSE), "")


def _odd(text: str) -> float:
    """What is unlikely in a text, as a share of its characters beyond ASCII.

    That is letters which the alphabet that fits best lacks, since a text is mostly in one language; what does not fit
    between its neighbours; and many Cyrillic consonants in a row.
    """
    letters = Counter(one for one in text.lower() if not one.isascii() and one.isalpha())
    fit = max(sum(letters[one] for one in alphabet) for alphabet in _ALPHABETS)
    fit += sum(count for one, count in letters.items() if "\u2e80" <= one < "\uff61")  # east Asian: too many for a list
    inside = zip(f" {text}", text, f"{text[1:]} ", strict=False)
    misplaced = sum(_misplaced(*three) for three in inside if not three[1].isascii())
    unspoken = sum(map(len, _UNSPOKEN.findall(text)))
    return (letters.total() - fit + misplaced + unspoken) / max(1, sum(not one.isascii() for one in text))


def _misplaced(before: str, one: str, after: str) -> float:
    """How odd a character beyond ASCII is between its neighbours, from 0 to 1.

    That is a capital after a small letter, and a little after a capital, since few words are all capitals; a letter of
    another script than its neighbour's; and a sign between letters, or at a small one.
    """
    if one.isalpha():
        mixed = "\u0370" <= one < "\u2e80" and any(near.isascii() and near.isalpha() for near in (before, after))
        return 1 if mixed or (one.isupper() and before.islower()) else _SHOUTED * (one.isupper() and before.isalpha())
    kind = category(one)
    if one in _BETWEEN or kind[0] in "MZ":
        return 0
    at_small = (after.islower() and kind[0] in "SC") or (before.islower() and kind in ("Sm", "Sk"))
    return (before.isalpha() and after.isalpha()) or at_small or (one in "¶§¦" and (before + after).strip().islower())
