"""Which letters the bytes of a table are, where it is in one of the old encodings.

Programs save tables in the letters of western Europe, of other countries or of a Mac, and none
says which. A table is read as western where its words can be no other's, or enough of those that
would be others in central Europe, and of those that would be in Turkey; else it is refused.
"""

__all__ = ["decoded"]

import re

_L = "a-zà-öø-ÿœšž"  # letters, as Windows has them in western Europe
_V = "aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýœ"
_KINDS = {
    "LETTER": _L,
    "START": f"(?<![{_L}])",
    "END": f"(?![{_L}])",
    "VOWEL": f"[{_V}]",
    "CONS": f"(?:(?![{_V}])[{_L}])",
    "AFTER": f"(?<![{_V}])(?<=[{_L}])",  # a consonant
}


def _any(*patterns: str) -> re.Pattern[str]:
    """A pattern of any of these, in which words in capitals stand for kinds of letters."""
    text = "|".join(f"(?:{pattern})" for pattern in patterns)
    for word, kind in _KINDS.items():
        text = text.replace(word, kind)
    return re.compile(text)


# A vowel of the west where no č, ř or ň stands, a consonant where no ş does.
_WESTERN = _any(
    "STARTàEND",
    "STARTà[vu]|AFTERàEND|iàEND|[io]à[a-z]",
    "ã[oe]",
    "STARTå",
    "åEND",
    "åVOWEL|VOWELå",
    "(?<![sdtvhkm])å(?![žbpkcè])CONS|[hptmvkd]å[ldnrstgkvh]|lsåEND",
    "AFTERæCONS",
    "STARTæEND",
    "STARTæ(?!w)CONS",
    "STARTèEND",
    "(?<![nkj])(?<!VOWEL)(?<=[LETTER])è(?!k)CONS",
    "[iy]è(?![knc])CONSe|[iy]è[sg]|ièvre|oè[mt](?![aouyek]?END)|nèsEND|èveEND|[hst]èEND",
    "[uoe]ê|iênci|STARTê|êsEND|ê[vt]es?END|êm[ea]|êqu|rêt|[ftb]êt|[hd]ên",
    "VOWELìEND|[lrszcgh]ìEND",
    "[aeoy]ï(?![tm]e)(?!ka)CONS",
    "AFTERðEND|AFTERðCONS|VOWELð(?:END|CONS)",
    "VOWELñVOWEL|STARTñVOWEL",
    "STARTòCONS|AFTERò(?:END|CONS)|[iu]ò(?:END|CONS)",
    "õe[sm]?END|STARTõVOWEL|iõe",
    "STARTø(?:END|CONS)|AFTERø(?:END|CONS)|iø[rsv]|øy|STARTøi[ves]",
    "VOWELùEND",
    "STARTsûr|brûl|[oae]û[tlcn]",
    "STARTþ(?![aei])|þ[óöúíýrjy]",
    "œ[ui]",
)
# What is one letter in the west and another in central Europe, and a sign there but a letter here.
_DIFFERENT = _any("[àãåæèêìïðñòõøùûþœ]")
_SIGN = _any(
    "[LETTER]Ÿ|Ÿ[LETTER]|[£¥¦©¬®¯±¶¼¾¹³][LETTER]{2}|µ[LETTER]{3}|START[ªº][LETTER]{2}",
    "[LETTER][¡¿»µ±¹³¥¦¬¯¶¼¾ªº][LETTER]|[LETTER]{2}[¿£¥¦¬¯±µ¶¼¾ªº]|[LETTER]{3}[¹³]|»[LETTER]{3}",
    "[LETTER][¨¸½][LETTER]|START[¨¸½´][LETTER]{3}|CONSçCONS",
)
_WORD = re.compile(f"[{_L}Ÿ£¥¦©ª¬®¯±³µ¶¹»º¼¾¿¡¨¸½´]+", re.I)
_SHARE = 0.25  # of words that must be western, where of central Europe's two in a hundred look so

# The letters of Iceland, and the Czech ý, that are ğ, ı and ş in Turkey, š and ž in the Baltic;
# and where they can be only these, as by a letter, an ending or two vowels that Turkish has not.
_NORTHERN = re.compile("[ðýþÝ]")
_NORTHERN_ONLY = _any(
    "[áéíóúæ][a-zöáéíóúæ]*[ðýþÝ]|[ðýþÝ][a-zöáéíóúæðýþÝ]*[áéíóúæ]",
    "AFTERð|eið|auð|ð[vjhfp]|STARTguð|STARTaðal(?!ar)|[ðýþ][a-zö]*s[oe]nEND",
    "START(?!ý)CONSCONS[a-zö]*[ðý]|STARTCONSýEND|START[Ýý](?:r|mir)END",
    "STARTþ[rjy]|STARTþor(?!ay)",
    "[eiouö]CONS{1,3}ýEND|[eiouö]CONS{1,2}ých|(?<=[a-z])ýCONS{1,2}(?:[eiö]|o(?!ðlu))",
)
# Letters in a row of which no western alphabet has so many.
_FOREIGN = re.compile(
    rb"[\xc0-\xd6\xd8-\xf6\xf8-\xff]{4}|(?<![\w\x80-\xff])"
    rb"[\xc0-\xd6\xd8-\xf6\xf8-\xff]{3}(?![\w\x80-\xff])"
)

# What is a letter in Mac Roman, and in the western ones a sign, nothing, or one that does not
# stand there.
_DOUBTFUL = re.compile(
    rb"[A-Za-z\x80-\xff](?!\x9cu)[\x80-\x9f]|[\x80-\x9f](?<!\x9c)[A-Za-z\x80-\xff]"
    rb"|[A-Za-z][\xa7\xb3\xb9\xbe\xbf\xd5\xf5](?<!\xf5(?=es\b))"
    rb"|[\xa3\xae\xaf\xbe][A-Za-z]|\xd2[A-Za-z][^\xd3]*\xd3"
    rb"|[a-z][\xc0-\xde]|(?<![A-Za-z\x80-\xff])[\xe5-\xf4][a-z]|[A-Z][\xe5-\xf4][A-Z]"
)
_UNKNOWN = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # in Windows' western letters
# Quotes and apostrophes that are those of Windows beyond doubt, and what no Mac writes.
_APOSTROPHE = re.compile(rb"[A-Za-z]\x92[A-Z]|n\x92t\b|\b([Ii]t|[Tt]hat|[Ll]et)\x92s\b")
_WESTERN_BYTES = re.compile(rb"[a-z][\xe0-\xe4\xe7-\xf4\xf6-\xfc](?<!l\xe1)")


def decoded(name: str, data: bytes) -> str:
    """Return the text of a table: Unicode, or the letters of Windows in western Europe.

    Raises:
        ValueError: when they may be others, with the line, and a word as each would have it.
    """
    try:
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        pass
    plain = _APOSTROPHE.sub(lambda match: match[0].replace(b"\x92", b"'"), data)
    doubtful = _UNKNOWN.search(plain)
    if doubtful is None and not _WESTERN_BYTES.search(plain):
        doubtful = _DOUBTFUL.search(plain)
    readings: tuple[str, ...] = ("cp1252", "cp1250", "mac_roman")
    if doubtful is None and (doubtful := _FOREIGN.search(plain)):
        readings = "cp1252", "cp1251", "koi8_r", "iso8859_5", "cp1253", "cp1255"
    if doubtful is not None:
        before = re.split(rb"[^A-Za-z\x80-\xff]", plain[: doubtful.start()])[-1]
        word = before + re.split(rb"[^A-Za-z\x80-\xff]", plain[doubtful.start() :])[0]
        raise _refused(name, plain[: doubtful.start()], word, readings)
    text = data.decode("cp1252")
    # A Ÿ is most likely a ź here, and a Ý may be the capital of another letter than ý.
    lower = re.sub("[^ŸÝ]+", lambda match: match[0].lower(), text)
    found: dict[str, int] = {}
    for match in _WORD.finditer(lower):
        found.setdefault(match[0], match.start())
    central = [word for word in found if _DIFFERENT.search(word) or _SIGN.search(word)]
    others = [word for word in central if _SIGN.search(word) or not _WESTERN.search(word)]
    northern = [word for word in found if _NORTHERN.search(word)]
    unsure = [word for word in northern if not _NORTHERN_ONLY.search(word)]
    for doubted, among in ((others, central), (unsure, northern)):
        if doubted and len(among) - len(doubted) < _SHARE * len(among):
            start = found[doubted[0]]
            word = data[start : start + len(doubted[0])]
            codes = ("cp1252", "cp1250", "iso8859_2", "cp1254", "cp1257", "iso8859_15")
            raise _refused(name, data[:start], word, codes)
    return text


_CALLED = {
    "cp1252": "that of Windows in western Europe",
    "cp1250": "that in central Europe",
    "iso8859_2": "ISO 8859-2",
    "mac_roman": "Mac Roman",
    "cp1254": "that in Turkey",
    "cp1257": "that in the Baltic",
    "iso8859_15": "ISO 8859-15",
    "cp1251": "that of Cyrillic",
    "koi8_r": "KOI8-R",
    "iso8859_5": "ISO 8859-5",
    "cp1253": "that of Greek",
    "cp1255": "that of Hebrew",
}


def _refused(name: str, before: bytes, word: bytes, encodings: tuple[str, ...]) -> ValueError:
    """What is told of a word that each of these encodings reads in its own way."""
    readings: dict[str, str] = {}
    for encoding in encodings:
        reading = word[:40].decode(encoding, "replace")
        if reading.isprintable():
            readings.setdefault(reading, _CALLED[encoding])
    may_be = ", ".join(f"{reading!r} in {called}" for reading, called in readings.items())
    line = len(re.findall(rb"\r\n|\r|\n", before)) + 1
    return ValueError(
        f"{name}, line {line}: the encoding of its letters cannot be told; one word is {may_be}: "
        'save it as "CSV UTF-8"'
    )
