// The outcome in words for people who see it for the first time.

import type { CheckOutcome, Trial } from "./types";

export type Tone = "good" | "bad" | "warn" | "info";

export interface Words {
  tone: Tone;
  title: string;
  about: string;
}

// By the runner's own names of its reasons.
const reasons: Record<string, string> = {
  internal_error: "Something failed inside the runner, and what is not decided is denied.",
  config_invalid: "The configuration has errors, so the runner denies every request of this route.",
  too_many_headers: "The request has more headers than a gateway can judge safely.",
  multiple_tokens: "The request carries more than one token, and nobody can say which one counts.",
  cross_site_request: "Another site made this request in the user's name.",
  session_unavailable: "The session could not be looked up, and what is not decided is denied.",
  login_redirect: "Nobody is logged in: the gateway sends the browser to the provider's login page, and back to this page after it.",
  missing_token: "The request came without a token, and this route needs one.",
  malformed_token: "What the request carries cannot be read as a token.",
  alg_not_allowed: "The token is signed by an algorithm that this route does not take.",
  typ_not_allowed: "The token is of another type than an access token.",
  unknown_issuer: "The token comes from an issuer that this route does not trust.",
  keys_unavailable: "The issuer's keys cannot be had right now, and what is not decided is denied.",
  unknown_key: "No key of the issuer fits this token.",
  bad_signature: "The signature does not fit: the token is forged or was changed.",
  expired: "The token was good once; its time has passed.",
  not_yet_valid: "The token is not valid yet.",
  too_old: "The token is older than this route takes.",
  bad_audience: "The token was issued for another API.",
  dpop_failed: "The token is bound to a key, and the request does not prove that its sender has it.",
  revoked: "The token was good, and somebody revoked it.",
  revocations_unavailable: "Whether the token was revoked cannot be asked, and what is not decided is denied.",
  mtls_failed: "The token is bound to a certificate that this client does not have.",
  wrong_organization: "The token is good; its organization may not come in here.",
  wrong_client: "The token is good; its application may not come in here.",
  step_up_required: "The token is good; the login behind it was not strong or not recent enough.",
  insufficient_scope: "The token is good, and lacks a right that this route asks for.",
  claim_mismatch: "The token is good; a claim is not what this route asks for.",
  schema_mismatch: "The token is good; its claims do not have the form that this route asks for.",
  rule_denied: "The token is good; a rule of this route denies the request.",
  claim_header_failed: "The token is good, and lacks a claim that the upstream must be told.",
};

export function reasonInWords(reason: string | undefined): string {
  return (reason && reasons[reason]) || "";
}

// plain makes words of a name like claim_mismatch.
export function plain(reason: string): string {
  return reason.replaceAll("_", " ");
}

export function inWords(trial: Trial): Words {
  const { answer, upstream, runner } = trial;
  if (upstream) {
    return { tone: "good", title: "Forwarded", about: forwarded(trial) };
  }
  if (answer.status >= 300 && answer.status < 400) {
    return { tone: "info", title: "Sent to log in", about: reasonInWords(answer.reason) || "The gateway sends the browser elsewhere." };
  }
  if (answer.status === 500 || answer.status === 503) {
    return { tone: "warn", title: answer.status === 500 ? "Cannot decide" : "Cannot decide yet", about: reasonInWords(answer.reason) || "The runner could not decide, and what is not decided is denied." };
  }
  if (runner.kind === "stop" && answer.status < 300) {
    return { tone: "info", title: "Answered by the gateway", about: "The runner answered this path itself; the upstream was not asked." };
  }
  const title = answer.status === 403 ? "Not allowed" : answer.status === 400 ? "Bad request" : "Refused";
  return { tone: "bad", title, about: reasonInWords(answer.reason) || "The runner refused the request; the upstream never saw it." };
}

function forwarded({ upstream, checks }: Trial): string {
  const passed = (checks ?? []).filter((c) => c.outcome === "passed").length;
  const stripped = upstream?.stripped?.length ?? 0;
  const told = (upstream?.headers ?? []).filter((h) => h.mark === "identity").length;
  const parts = [passed > 0 ? `${passed} checks passed` : "No token was asked for"];
  parts.push(told > 0 ? `the upstream was told who calls in ${told} ${told === 1 ? "header" : "headers"}` : "the upstream was told nothing of the caller");
  if (stripped > 0) parts.push(`${stripped} ${stripped === 1 ? "header" : "headers"} of the client ${stripped === 1 ? "was" : "were"} removed`);
  return parts.join(", ") + ".";
}

export const outcomes: Record<CheckOutcome, string> = {
  passed: "passed",
  refused: "refused",
  let_pass: "let pass",
  not_asked: "not asked",
  not_reached: "not reached",
};
