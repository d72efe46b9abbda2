// What the page's server sends and takes, as it writes it.

export type Header = [name: string, value: string];

export type CallerKind = "none" | "minted" | "pasted" | "session";

export interface Caller {
  kind: CallerKind;
  variant?: string;
  claims?: unknown;
  token?: string;
}

export interface Request {
  method: string;
  path: string;
  headers: Header[];
}

export interface Example {
  id: string;
  title: string;
  about: string;
  config: string;
  request: Request;
  caller: Caller;
}

export interface Variant {
  id: string;
  title: string;
  about: string;
}

export interface Start {
  gateway: string;
  issuer: string;
  otherIssuer: string;
  upstream: string;
  apisix: string;
  runnerVersion: string;
  schema: Record<string, unknown>;
  examples: Example[];
  variants: Variant[];
}

export interface Finding {
  severity: "error" | "warning";
  path?: string;
  message: string;
  from?: number;
  to?: number;
}

export interface Checked {
  ok: boolean;
  findings: Finding[];
}

export interface Edit {
  op: "set" | "delete" | "delete-argument";
  name: string;
  value?: string;
}

export type CheckOutcome = "passed" | "refused" | "let_pass" | "not_asked" | "not_reached";

export interface Check {
  number: number;
  name: string;
  outcome: CheckOutcome;
  reason?: string;
  details?: string[];
  found?: string;
  wanted?: string;
}

export interface Challenge {
  scheme: string;
  params: Header[];
}

export interface Answer {
  status: number;
  reason?: string;
  headers: Header[];
  body?: string;
  challenges?: Challenge[];
  location?: string;
}

export interface Received {
  method: string;
  path: string;
  headers: { name: string; value: string; mark?: "identity" | "kept" | "gateway" }[];
  stripped?: { name: string; value: string }[];
}

export interface Trial {
  sent: Request;
  shown?: Request | null;
  runner: { kind: "stop" | "rewrite" | "none"; status?: number; headers?: Header[]; edits?: Edit[] };
  checks?: Check[];
  notes?: string[];
  session?: string[];
  login?: string[];
  reports?: string[];
  answer: Answer;
  upstream: Received | null;
  share?: { curl: string; explain: string; compose: string; helm: string };
}

export interface Live {
  at: number;
  runner: { up: boolean; pid?: number };
  requestsPerSecond: number;
  verdicts?: { reason: string; total: number; perSecond: number }[];
  latency: { p50: number; p99: number };
  providers?: { issuer: string; keys: number; ageSeconds: number; healthy: boolean; sick: boolean }[];
  sessions: { logins: number; refreshed: number };
  revocations: { entries: number; refused: number };
  cache: { hitRatio: number };
  load: { running: boolean; good: number; bad: number; wrong: number; failed: number };
}

export type Act =
  | "rotate-keys" | "issuer-sick" | "issuer-well" | "revoke-user" | "clear-revocations"
  | "restart-runner" | "reload-gateway" | "load-start" | "load-stop";
