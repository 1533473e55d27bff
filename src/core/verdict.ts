/**
 * What became of a route, in one word, and why.
 *
 * The table below is closed: the same codes stand in the API, the console, the command line, the metrics and the logs.
 * `remedy` is the general way out; a problem may carry a more exact one.
 */
export type Verdict = 'live' | 'pending' | 'rejected' | 'refused' | 'conflicted' | 'waiting' | 'degraded' | 'held'

export const VERDICTS: readonly Verdict[] = [
  'live',
  'pending',
  'rejected',
  'refused',
  'conflicted',
  'waiting',
  'degraded',
  'held',
]

type Reason = { readonly verdict: Verdict; readonly meaning: string; readonly remedy: string }

const reasons = {
  LIVE: { verdict: 'live', meaning: 'Traefik shows the route as we compiled it.', remedy: 'Nothing to do.' },
  NOT_YET_POLLED: {
    verdict: 'pending',
    meaning: 'Traefik has not fetched the configuration that holds this route.',
    remedy:
      'It fetches within its poll interval. If it never does, compare providers.http.endpoint in its static configuration with this agent.',
  },
  TOKEN_REFUSED: {
    verdict: 'pending',
    meaning: 'Traefik polls with no token or a wrong one, so it does not get the configuration that holds this route.',
    remedy:
      'Write the token of provider.tokenFile into the static configuration of Traefik (fairlead static-config --provider-token-file FILE --out FILE), and restart Traefik.',
  },
  NOT_YET_APPLIED: {
    verdict: 'pending',
    meaning: 'Traefik has fetched the route and has not shown it yet.',
    remedy: 'It usually takes milliseconds. Nothing to do.',
  },
  NOT_VERIFIED: {
    verdict: 'pending',
    meaning: 'The route is served; no Traefik API is configured to read it back from.',
    remedy: 'Set traefik.api to the address of the Traefik API to have every route verified.',
  },
  API_UNREACHABLE: {
    verdict: 'pending',
    meaning: 'The route is served; the Traefik API does not answer, so nobody knows what became of it.',
    remedy: 'Look whether Traefik runs and whether traefik.api points at its API.',
  },
  DOCUMENT_INVALID: {
    verdict: 'rejected',
    meaning: 'The document is not an expected state.',
    remedy:
      'Give a document with at least one of the lists routes, tcpRoutes, udpRoutes. The last good one goes on serving.',
  },
  ROUTE_INVALID: {
    verdict: 'rejected',
    meaning: 'The entry is not a route.',
    remedy: 'Give an object with the fields of a route.',
  },
  ID_INVALID: {
    verdict: 'rejected',
    meaning: 'The id is missing or cannot be used.',
    remedy: 'Give an id of 1 to 200 printable signs, unique within its protocol.',
  },
  FIELD_INVALID: {
    verdict: 'rejected',
    meaning: 'A field has a value that it cannot have.',
    remedy: 'Correct the field.',
  },
  PORT_OUT_OF_RANGE: {
    verdict: 'rejected',
    meaning: 'The external port is not one of this node.',
    remedy: 'Choose a port of the pool, or add this one to the ports setting.',
  },
  HOST_NAME_REQUIRED: {
    verdict: 'rejected',
    meaning: 'The port is shared with HTTP, so a route on it needs a host name.',
    remedy: 'Give sniHostname, or choose a port of its own.',
  },
  HOST_NAME_INVALID: {
    verdict: 'rejected',
    meaning: 'The host name is not one.',
    remedy: 'Give letters, digits and hyphens parted by dots, with at most one leading "*.".',
  },
  UPSTREAM_INVALID: {
    verdict: 'rejected',
    meaning: 'The upstream is not an address with a port.',
    remedy: 'Write it as 10.200.1.5:5432 or [fd00::5]:5432.',
  },
  UPSTREAM_NOT_ALLOWED: {
    verdict: 'rejected',
    meaning: 'The upstream is a place that this node does not send traffic to.',
    remedy: 'Give an address that the node can reach, or allow it in policy.allowUpstreams.',
  },
  TOO_MANY_ROUTES: {
    verdict: 'rejected',
    meaning: 'The document holds more routes than this node takes.',
    remedy: 'Raise policy.maxRoutes, or spread the routes over more nodes. The last good document goes on serving.',
  },
  ENTRY_POINT_MISSING: {
    verdict: 'waiting',
    meaning: 'Traefik has no entry point for the port.',
    remedy: 'Add the entry point to the static configuration and restart Traefik.',
  },
  ENTRY_POINT_WRONG_PROTOCOL: {
    verdict: 'waiting',
    meaning: 'Traefik has the port open for the other protocol only.',
    remedy: 'Add an entry point of this protocol to the static configuration and restart Traefik.',
  },
  PORT_TAKEN_BY_ROUTE: {
    verdict: 'conflicted',
    meaning: 'Another route has the port.',
    remedy: 'Choose another port, or delete the other route first.',
  },
  HOST_TAKEN_BY_ROUTE: {
    verdict: 'conflicted',
    meaning: 'Another route has the host name.',
    remedy: 'Choose another host name, or delete the other route first.',
  },
  FOREIGN_ROUTER: {
    verdict: 'conflicted',
    meaning: 'A router of another Traefik provider has this traffic.',
    remedy: 'Take the router out of the other provider, or choose another port or host name.',
  },
  SERVER_FIRST_ON_TLS_PORT: {
    verdict: 'conflicted',
    meaning: 'On a port with TLS routes Traefik waits for the client to speak, and this protocol waits for the server.',
    remedy: 'Give the plain route a port of its own.',
  },
  ID_TAKEN: {
    verdict: 'conflicted',
    meaning: 'Another route has the same id.',
    remedy: 'Give each route of a protocol an id of its own.',
  },
  FIELD_NOT_IN_TRAEFIK: {
    verdict: 'degraded',
    meaning: 'The running Traefik does not take a field that the route needs; it is served without it.',
    remedy: 'Upgrade Traefik, or leave the field out.',
  },
  TRAEFIK_REFUSED_BODY: {
    verdict: 'refused',
    meaning: 'Traefik does not take a configuration with this route.',
    remedy: 'Look for "Error while building configuration" in the log of Traefik, and correct or remove the route.',
  },
  TRAEFIK_DISABLED: {
    verdict: 'refused',
    meaning: 'Traefik shows the router as disabled.',
    remedy: "Traefik's own words name the fault.",
  },
  NO_UPSTREAMS: {
    verdict: 'degraded',
    meaning: 'The route has no upstreams; connections are closed at once.',
    remedy: 'Add an upstream.',
  },
  BACKEND_DOWN: {
    verdict: 'degraded',
    meaning: 'Traefik shows a server of the route as down.',
    remedy: 'Start it, or take it off the list.',
  },
  PROBE_FAILED: {
    verdict: 'degraded',
    meaning: 'A probe through the port failed.',
    remedy: 'Look at what the probe found, then at the upstream.',
  },
  CERTIFICATE_NEEDS_TOKEN: {
    verdict: 'degraded',
    meaning: 'The certificate of the domain is not handed to Traefik, since the provider endpoint has no token.',
    remedy: 'Set provider.tokenFile and write the token into the static configuration.',
  },
  MASS_REMOVAL: {
    verdict: 'held',
    meaning: 'The new state drops the route together with too many others; it goes on serving.',
    remedy: 'If that is meant, run fairlead accept. If not, nothing is lost: put the routes back.',
  },
  EXPIRED: {
    verdict: 'rejected',
    meaning: 'The end time of the route is over.',
    remedy: 'Give it a new end time, or delete it.',
  },
} as const satisfies Record<string, Reason>

export type ReasonCode = keyof typeof reasons

export const REASONS: Readonly<Record<ReasonCode, Reason>> = reasons
