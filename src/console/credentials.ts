/**
 * Removes credentials from a request before it is stored or shared.
 *
 * @module
 */
import { type Draft, toTarget } from "./draft.ts";

/** A draft without credentials. */
export interface ScrubbedDraft {
  readonly draft: Draft;
  /** What was removed, such as `the header authorization`. */
  readonly omitted: readonly string[];
}

// Excludes names such as `idempotency-key` and `author`.
const CREDENTIAL_NAME =
  /auth(?!or(?:s|ed|ship)?\b)|cookie|token|secret|passw|credential|session|signature|jwt|bearer|api[-_.]?key|(?:access|private|account|client|subscription|functions|shared|secret)[-_.]?key|^key$|^sig$|^pwd$|^otp$/i;

/** Shorter values could match unrelated text. */
const MIN_SECRET_LENGTH = 6;

const JSON_MEMBER = /("((?:[^"\\]|\\.)*)"\s*:\s*)"((?:[^"\\]|\\.)*)"/g;

/** Returns whether a header, parameter or member with this name probably contains a credential. */
export function isCredentialName(name: string): boolean {
  return CREDENTIAL_NAME.test(name);
}

/**
 * Returns the draft without the values of headers, query parameters, form fields and JSON members whose names suggest
 * a credential. The same values are removed wherever else they occur.
 *
 * @param draft The draft.
 * @param secrets Other values to remove, such as the token of the service.
 */
export function scrubDraft(draft: Draft, secrets: readonly string[] = []): ScrubbedDraft {
  const omitted: string[] = [];
  const values = new Set(secrets.filter((secret) => secret.length >= MIN_SECRET_LENGTH));
  const take = (what: string, value: string): void => {
    if (value === "") return;
    omitted.push(what);
    // In `Bearer x`, x alone is the credential.
    for (const part of [value, ...value.split(/\s+/)]) {
      if (part.length >= MIN_SECRET_LENGTH) values.add(part);
    }
  };
  const headers = draft.headers.map(([name, value]): readonly [string, string] => {
    if (!isCredentialName(name)) return [name, value];
    take(`the header ${name.toLowerCase()}`, value);
    return [name, ""];
  });
  const url = scrubUrl(draft, take);
  const bodyText = scrubBody(draft, take);
  const found = new Set<string>();
  const erase = (text: string): string =>
    [...values].reduce((rest, value) => {
      if (!rest.includes(value)) return rest;
      found.add(value);
      return rest.replaceAll(value, "");
    }, text);
  const clean: Draft = {
    ...draft,
    url: erase(url),
    headers: headers.map(([name, value]) => [erase(name), erase(value)]),
    bodyText: erase(bodyText),
  };
  if (found.size > 0) omitted.push("a credential in another place");
  return { draft: clean, omitted: [...new Set(omitted)] };
}

type Take = (what: string, value: string) => void;

function scrubUrl(draft: Draft, take: Take): string {
  const withoutUser = draft.url.replace(
    /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)@/i,
    (_, start, user) => {
      take("the user in the URL", user);
      for (const part of String(user).split(":")) take("the user in the URL", part);
      return start;
    },
  );
  const [beforeFragment = ""] = withoutUser.split("#");
  const at = beforeFragment.indexOf("?");
  if (at < 0 || toTarget(draft) === "") return beforeFragment;
  return beforeFragment.slice(0, at + 1) + scrubPairs(beforeFragment.slice(at + 1), {
    take,
    what: "the parameter",
  });
}

function scrubBody({ bodyKind, bodyText, headers }: Draft, take: Take): string {
  if (bodyKind === "none" || bodyKind === "file") return "";
  const type = headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
  if (bodyKind === "text" && type.includes("urlencoded")) {
    return scrubPairs(bodyText, { take, what: "the field" });
  }
  return bodyText.replace(JSON_MEMBER, (member, start: string, name: string, value: string) => {
    if (!isCredentialName(name)) return member;
    take(`the member ${name}`, value);
    return `${start}""`;
  });
}

/** Removes the values of credentials and keeps the other pairs unchanged. */
function scrubPairs(
  text: string,
  { take, what }: { readonly take: Take; readonly what: string },
): string {
  return text.split("&").map((pair) => {
    const [name = "", ...rest] = pair.split("=");
    const plainName = decode(name);
    if (rest.length === 0 || !isCredentialName(plainName)) return pair;
    const value = rest.join("=");
    take(`${what} ${plainName}`, value);
    take(`${what} ${plainName}`, decode(value));
    return `${name}=`;
  }).join("&");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text; // invalid percent-encoding is kept
  }
}
