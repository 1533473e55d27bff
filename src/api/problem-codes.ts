/**
 * Every code that a problem document of the control plane can have: its HTTP status, its title, and what to do when nobody knows better.
 * Closed and stable: programs decide by the code, people read the sentence. docs/api.md has the same table, and a test compares them.
 */

type ProblemKind = { readonly status: number; readonly title: string; readonly remedy: string }

export const PROBLEM_CODES = {
  BODY_MALFORMED: {
    status: 400,
    title: 'The body is not JSON',
    remedy: 'Send one JSON document in UTF-8.',
  },
  REQUEST_MALFORMED: {
    status: 400,
    title: 'The request cannot be read',
    remedy: 'Send a request as HTTP/1.1 (RFC 9112) wants it.',
  },
  QUERY_INVALID: {
    status: 400,
    title: 'The query or a header is not valid',
    remedy: 'Mend the named fields.',
  },
  CURSOR_INVALID: {
    status: 400,
    title: 'The cursor is not one of ours',
    remedy: 'Begin again without a cursor, with the same filters on every page.',
  },
  UNAUTHENTICATED: {
    status: 401,
    title: 'Nobody is signed in',
    remedy: 'Send `Authorization: Bearer flt_...` with a token that is neither expired nor revoked.',
  },
  SIGN_IN_FAILED: {
    status: 401,
    title: 'The token or code is not taken',
    remedy: 'Make a new link with `fairlead control admin-link`, or use another API token.',
  },
  SIGNATURE_INVALID: {
    status: 401,
    title: 'The signature is not that of a node',
    remedy: 'Enrol the node, or enrol it again: `fairlead enroll --url ... --token ...`.',
  },
  CLOCK_SKEW: {
    status: 401,
    title: 'The clocks are too far apart',
    remedy: 'Set the clock of the node, and that of the control plane, by NTP: they may be 60 s apart.',
  },
  TIMESTAMP_REUSED: {
    status: 401,
    title: 'The timestamp was used before',
    remedy: 'Sign each POST with a later x-timestamp than the last one.',
  },
  NODE_REVOKED: {
    status: 401,
    title: 'The key of the node was revoked',
    remedy: 'Enrol it again under its name, with a token that is made for this name.',
  },
  NODE_RETIRED: {
    status: 401,
    title: 'The node was retired',
    remedy: 'Enrol it again: it becomes a new node.',
  },
  ENROLLMENT_TOKEN_INVALID: {
    status: 401,
    title: 'The enrolment token is not taken',
    remedy: 'Make another one in the console, or by `POST /api/v1/enrollment-tokens`; each is for one node, once.',
  },
  SCOPE_MISSING: {
    status: 403,
    title: 'The token may not do this',
    remedy: 'Use a token that has the named scope.',
  },
  CROSS_ORIGIN: {
    status: 403,
    title: 'The request comes from another site',
    remedy: 'Send it from the console itself, or use an API token.',
  },
  NOT_FOUND: {
    status: 404,
    title: 'There is no such thing',
    remedy: 'Look for it in the list; it may be gone, or belong to a project that this token does not reach.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'The method is not allowed here',
    remedy: 'Use one of the methods in the header Allow.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    title: 'The request took too long to arrive',
    remedy: 'Send it again, at once and whole.',
  },
  CONFLICT: {
    status: 409,
    title: 'It collides with something that is there',
    remedy: 'Change what collides.',
  },
  NODE_NAME_TAKEN: {
    status: 409,
    title: 'There is a node of this name',
    remedy: 'Take another name; or revoke that node and use a token made for its name; or retire it.',
  },
  NODE_NAME_OTHER: {
    status: 409,
    title: 'The token is for a node of another name',
    remedy: 'Enrol under the name that the token was made for, or make another token.',
  },
  NODE_KEY_TAKEN: {
    status: 409,
    title: 'The key belongs to another node',
    remedy: 'Make a new key: `fairlead enroll` does.',
  },
  REPORT_GAP: {
    status: 409,
    title: 'The report builds upon one that was not taken',
    remedy: 'Send a full report.',
  },
  HELD_STATE_OTHER: {
    status: 409,
    title: 'The node holds another state by now',
    remedy: 'Read the node again, look at what would go, and accept that by its hash.',
  },
  NODE_NOT_RETIRED: {
    status: 409,
    title: 'The node is not retired',
    remedy: 'Retire it first: that says what it risks.',
  },
  NAME_TAKEN: {
    status: 409,
    title: 'The name is taken',
    remedy: 'Take another name.',
  },
  PROJECT_IN_USE: {
    status: 409,
    title: 'The project has services',
    remedy: 'Delete its services first.',
  },
  PORT_TAKEN: {
    status: 409,
    title: 'The number is taken, or rests',
    remedy: 'Take another, or none to get the lowest that is free.',
  },
  PORT_RESERVED: {
    status: 409,
    title: 'The number is reserved',
    remedy: 'Take another, or ask an admin.',
  },
  PORT_UNDECLARED: {
    status: 409,
    title: 'Not every active node has opened the number',
    remedy: 'Add the entry point to their static configuration, or take another number.',
  },
  PORT_SHARED: {
    status: 409,
    title: 'The number is shared by host name',
    remedy: 'Give sniHostname and shared instead of externalPort.',
  },
  PORT_NOT_SHARED: {
    status: 409,
    title: 'The number is not a shared one',
    remedy: 'Take one of ports.shared of the settings, or a number of its own.',
  },
  PORT_OUT_OF_RANGE: {
    status: 422,
    title: 'The number is not in the pool',
    remedy: 'Take one of the pool, or none to get the lowest that is free.',
  },
  POOL_EXHAUSTED: {
    status: 409,
    title: 'No number of the pool is free',
    remedy: 'Release ports, wait for those that rest, or add numbers to the pool and to the nodes.',
  },
  QUOTA_EXCEEDED: {
    status: 409,
    title: 'The project has all that it may have',
    remedy: 'Release a port or a domain, or ask an admin for a higher quota.',
  },
  SNI_TAKEN: {
    status: 409,
    title: 'The host name is taken on this number',
    remedy: 'Take another host name, or another number.',
  },
  DOMAIN_TAKEN: {
    status: 409,
    title: 'The domain is taken',
    remedy: 'Take another domain, or another path of one that is yours.',
  },
  IDEMPOTENCY_KEY_IN_USE: {
    status: 409,
    title: 'A request with this Idempotency-Key is still at work',
    remedy: 'Send it again in a second: it gets the answer of the first.',
  },
  STALE: {
    status: 412,
    title: 'It was changed meanwhile',
    remedy: 'Read it again and send the new ETag as If-Match.',
  },
  BODY_TOO_LARGE: {
    status: 413,
    title: 'The body is too large',
    remedy: 'Send at most 1 MiB.',
  },
  CONTENT_TYPE_UNSUPPORTED: {
    status: 415,
    title: 'The content type is not supported',
    remedy: 'Send `Content-Type: application/json`.',
  },
  HOST_UNKNOWN: {
    status: 421,
    title: 'This control plane has another name',
    remedy: 'Use the address in publicUrl of the settings.',
  },
  BODY_INVALID: {
    status: 422,
    title: 'The body is not valid',
    remedy: 'Mend the named fields; all faults are listed.',
  },
  REPORT_NOT_OURS: {
    status: 422,
    title: 'The report is for another control plane',
    remedy: 'Enrol the node here, or report to the control plane that the report names.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: 'This Idempotency-Key belongs to another request',
    remedy: 'Use a new key for each new request.',
  },
  RATE_LIMITED: {
    status: 429,
    title: 'Too many requests',
    remedy: 'Wait as many seconds as Retry-After says.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    title: 'The headers are too large',
    remedy: 'Send at most 16 KiB of headers.',
  },
  INTERNAL: {
    status: 500,
    title: 'A fault of Fairlead',
    remedy: 'Report it with the request id; the log of the control plane has the details.',
  },
  DATABASE_UNAVAILABLE: {
    status: 503,
    title: 'The database cannot be used now',
    remedy: 'Send it again with the same Idempotency-Key; nothing was changed.',
  },
  DATABASE_BUSY: {
    status: 503,
    title: 'The database is busy',
    remedy: 'Send it again with the same Idempotency-Key; nothing was changed.',
  },
  COMMIT_OUTCOME_UNKNOWN: {
    status: 503,
    title: 'Nobody knows whether the change was made',
    remedy: 'Send it again with the same Idempotency-Key, or read the resource first.',
  },
  OVERLOADED: {
    status: 503,
    title: 'The control plane has too much to do',
    remedy: 'Send it again after as many seconds as Retry-After says.',
  },
  STOPPING: {
    status: 503,
    title: 'The control plane is stopping',
    remedy: 'Send it again in a few seconds.',
  },
} as const satisfies Readonly<Record<string, ProblemKind>>

export type ProblemCode = keyof typeof PROBLEM_CODES
