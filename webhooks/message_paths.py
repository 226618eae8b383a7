"""Where things stand in a provider's message: dotted paths into its JSON. Pure."""


def text_at(content: object, place: str) -> str:
    """Return the text or whole number at a dotted path (`data.items.0.id`), or "" where there is none."""
    here = content
    for name in place.split(".") if place else []:
        if isinstance(here, dict):
            here = here.get(name)
        elif isinstance(here, list) and name.isascii() and name.isdigit() and int(name[:6]) < len(here):
            here = here[int(name[:6])]
        else:
            return ""
    if isinstance(here, bool) or not isinstance(here, str | int):
        return ""
    return here if isinstance(here, str) else (str(here) if abs(here) < 10**18 else "")
