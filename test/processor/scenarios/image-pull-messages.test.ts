import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyPullError, namesNoCause, type PullCause } from '../../../processor/scenarios/image-pull-messages.ts';

/** cause, detail, image, message. Wordings of kubelet 1.20–1.35 over containerd, CRI-O, dockershim and cri-dockerd, and of the big registries. */
type Case = readonly [PullCause, string, string, string];

const unpack = (image: string, rest: string): string => `rpc error: code = Unknown desc = failed to pull and unpack image "${image}": ${rest}`;
const resolve = (image: string, rest: string): string => unpack(image, `failed to resolve reference "${image}": ${rest}`);
const daemon = (rest: string): string => `rpc error: code = Unknown desc = Error response from daemon: ${rest}`;
const DIGEST = `sha256:${'4291f'.repeat(12)}4040`;

const cases: readonly Case[] = [
  // invalid name
  [
    'invalid_image_name',
    '',
    'Local/BAD:::1',
    'Failed to apply default image tag "Local/BAD:::1": couldn\'t parse image name "Local/BAD:::1": invalid reference format: repository name (BAD) must be lowercase',
  ],
  [
    'invalid_image_name',
    '',
    'nginx:latest:v2',
    'Failed to apply default image tag "nginx:latest:v2": couldn\'t parse image reference "nginx:latest:v2": invalid reference format',
  ],
  ['invalid_image_name', '', 'Nginx', 'Error response from daemon: invalid reference format: repository name must be lowercase'],
  [
    'invalid_image_name',
    '',
    'fedora/web',
    'short-name "fedora/web" did not resolve to an alias and no unqualified-search registries are defined in "/etc/containers/registries.conf"',
  ],
  ['invalid_image_name', '', 'web', 'short name mode is enforcing, but image name web:latest returns ambiguous list'],
  [
    'invalid_image_name',
    '',
    'europe-docker.pkg.dev/p/web',
    resolve(
      'europe-docker.pkg.dev/p/web',
      'unexpected status: name invalid: Missing image name. Pulls should be of the form /v2/HOST-NAME/PROJECT-ID/REPOSITORY/IMAGE',
    ),
  ],
  // never
  ['image_never_pull', '', 'local/absent:1', 'Container image "local/absent:1" is not present with pull policy of Never'],
  // kubelet and registry limits
  ['pull_throttled', 'kubelet_qps', 'nginx', 'pull QPS exceeded'],
  [
    'pull_throttled',
    'registry_limit',
    'nginx',
    unpack(
      'docker.io/library/nginx:latest',
      `failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/nginx/manifests/${DIGEST}: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit`,
    ),
  ],
  [
    'pull_throttled',
    'registry_limit',
    'redis',
    daemon('toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit'),
  ],
  [
    'pull_throttled',
    'registry_limit',
    'quay.io/a/b',
    'initializing source docker://quay.io/a/b:latest: reading manifest latest in quay.io/a/b: too many requests to registry',
  ],
  [
    'pull_throttled',
    'registry_limit',
    '1.dkr.ecr.us-west-2.amazonaws.com/gw:v3',
    'rpc error: code = DeadlineExceeded desc = failed to pull and unpack image: failed to copy: httpReadSeeker: failed open: unexpected status code 429 Too Many Requests',
  ],
  [
    'pull_throttled',
    'registry_limit',
    'web',
    resolve(
      'docker.io/library/web:1',
      'failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://auth.docker.io/token?scope=repository%3Alibrary%2Fweb%3Apull&service=registry.docker.io: 429 Too Many Requests',
    ),
  ],
  [
    'pull_throttled',
    'registry_limit',
    'gcr.io/p/a',
    "Error response from daemon: unknown: Quota exceeded for quota metric 'Requests per project per user' and limit 'Requests per project per user per minute per user' of service 'artifactregistry.googleapis.com'",
  ],
  ['pull_throttled', 'registry_limit', '1.dkr.ecr.eu-west-1.amazonaws.com/a', 'toomanyrequests: Rate exceeded'],
  [
    'pull_throttled',
    'registry_limit',
    '127.0.0.1:5001/throttled/app:v1',
    'failed to pull and unpack image "127.0.0.1:5001/throttled/app:v1": failed to resolve reference "127.0.0.1:5001/throttled/app:v1": pulling from host 127.0.0.1:5001 failed with status code [manifests v1]: 429 Too Many Requests',
  ],
  // TLS
  [
    'registry_tls',
    '',
    'reg.local/a',
    resolve('reg.local/a:1', 'failed to do request: Head "https://reg.local/v2/a/manifests/1": x509: certificate signed by unknown authority'),
  ],
  [
    'registry_tls',
    '',
    'reg.local/a',
    resolve(
      'reg.local/a:1',
      'failed to do request: Head "https://reg.local/v2/a/manifests/1": tls: failed to verify certificate: x509: certificate is valid for obs.example.com, not reg.local',
    ),
  ],
  [
    'registry_tls',
    '',
    'reg.local/a',
    daemon('Get "https://reg.local/v2/": x509: certificate has expired or is not yet valid: current time 2023-01-01T00:00:00Z is after 2022-12-31T00:00:00Z'),
  ],
  [
    'registry_tls',
    '',
    '10.0.0.5:5000/a',
    resolve('10.0.0.5:5000/a:1', 'failed to do request: Head "https://10.0.0.5:5000/v2/a/manifests/1": http: server gave HTTP response to HTTPS client'),
  ],
  ['registry_tls', '', '10.0.0.5/a', daemon("Get https://10.0.0.5/v2/: x509: cannot validate certificate for 10.0.0.5 because it doesn't contain any IP SANs")],
  ['registry_tls', '', 'reg.local/a', 'pinging container registry reg.local: Get "https://reg.local/v2/": remote error: tls: handshake failure'],
  ['registry_tls', '', 'reg.local/a', daemon('Get "https://reg.local/v2/": x509: certificate relies on legacy Common Name field, use SANs instead')],
  [
    'registry_tls',
    '',
    'reg.local:443/a',
    daemon('Get "http://reg.local:443/v2/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x15\\x03\\x01\\x00\\x02\\x02"'),
  ],
  [
    'registry_tls',
    '',
    'reg.local/a',
    resolve('reg.local/a:1', 'failed to do request: Head "https://reg.local/v2/a/manifests/1": tls: first record does not look like a TLS handshake'),
  ],
  [
    'registry_tls',
    '',
    'reg.local/a',
    'unexpected status from HEAD request to http://reg.local:443/v2/a/manifests/1: 400 Bad Request: Client sent an HTTP request to an HTTPS server.',
  ],
  // network
  [
    'registry_network',
    'dns',
    'registry.invalid/a:v0',
    resolve(
      'registry.invalid/a:v0',
      'failed to do request: Head "https://registry.invalid/v2/a/manifests/v0": dial tcp: lookup registry.invalid on 127.0.0.53:53: no such host',
    ),
  ],
  [
    'registry_network',
    'dns',
    'reg.local/a',
    resolve('reg.local/a:1', 'failed to do request: Head "https://reg.local/v2/a/manifests/1": dial tcp: lookup reg.local on 10.0.0.10:53: server misbehaving'),
  ],
  [
    'registry_network',
    'dns',
    'nginx',
    daemon(
      'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.96.0.10:53: read udp 10.0.2.15:51024->10.96.0.10:53: i/o timeout',
    ),
  ],
  [
    'registry_network',
    'dns',
    'nginx',
    daemon('Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io on [::1]:53: read udp [::1]:41000->[::1]:53: read: connection refused'),
  ],
  [
    'registry_network',
    'dns',
    'k8s.gcr.io/kube-apiserver:v1.18.2',
    'error pinging docker registry k8s.gcr.io: Get "https://k8s.gcr.io/v2/": dial tcp: lookup k8s.gcr.io: device or resource busy',
  ],
  [
    'registry_network',
    'dns',
    'nginx',
    'pinging container registry registry-1.docker.io: Get "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp: lookup http: Temporary failure in name resolution',
  ],
  [
    'registry_network',
    'refused',
    '127.0.0.1:5999/app:v1',
    resolve(
      '127.0.0.1:5999/app:v1',
      'failed to do request: Head "http://127.0.0.1:5999/v2/app/manifests/v1": dial tcp 127.0.0.1:5999: connect: connection refused',
    ),
  ],
  ['registry_network', 'refused', 'localhost:5000/boot', daemon('Get http://localhost:5000/v2/: dial tcp 127.0.0.1:5000: connect: connection refused')],
  [
    'registry_network',
    'refused',
    'reg.local/a',
    'image pull failed for reg.local/a because the registry is unavailable: RegistryUnavailable: pinging container registry reg.local: Get "https://reg.local/v2/": dial tcp 10.1.2.3:443: connect: connection refused',
  ],
  [
    'registry_network',
    'refused',
    'mcr.example.com/win',
    daemon('Get "https://mcr.example.com/v2/": dial tcp 10.0.0.1:443: connectex: No connection could be made because the target machine actively refused it.'),
  ],
  [
    'registry_network',
    '',
    'busybox:1.36.1',
    'rpc error: code = DeadlineExceeded desc = failed to pull and unpack image "docker.io/library/busybox:1.36.1": failed to resolve reference "docker.io/library/busybox:1.36.1": failed to do request: Head "https://registry-1.docker.io/v2/library/busybox/manifests/1.36.1": dial tcp 108.160.169.55:443: i/o timeout',
  ],
  [
    'registry_network',
    '',
    'reg.local/a',
    resolve('reg.local/a:1', 'failed to do request: Head "https://reg.local/v2/a/manifests/1": dial tcp 10.1.1.1:443: connect: no route to host'),
  ],
  ['registry_network', '', 'reg.local/a', daemon('Get "https://reg.local/v2/": dial tcp [2600:1f18::1]:443: connect: network is unreachable')],
  [
    'registry_network',
    '',
    'reg.local/a',
    'pinging container registry reg.local: Get "https://reg.local/v2/": dial tcp 10.1.1.1:443: connect: connection timed out',
  ],
  ['registry_network', '', 'reg.local/a', 'Get "https://reg.local/v2/": proxyconnect tcp: dial tcp 10.9.9.9:3128: i/o timeout'],
  ['registry_network', '', 'reg.local/a', 'Get "https://reg.local/v2/": Proxy Authentication Required'],
  [
    'registry_network',
    '',
    'quay.io/a/b',
    resolve(
      'quay.io/a/b:1',
      'failed to authorize: failed to fetch anonymous token: Get "https://quay.io/v2/auth?scope=repository%3Aa%2Fb%3Apull&service=quay.io": dial tcp 3.220.1.1:443: i/o timeout',
    ),
  ],
  // unavailable
  [
    'registry_unavailable',
    '',
    'reg.local/a',
    resolve('reg.local/a:1', 'unexpected status from HEAD request to https://reg.local/v2/a/manifests/1: 503 Service Unavailable'),
  ],
  ['registry_unavailable', '', 'reg.local/a', daemon('received unexpected HTTP status: 502 Bad Gateway')],
  ['registry_unavailable', '', 'reg.local/a', 'reading manifest 1 in reg.local/a: received unexpected HTTP status: 500 Internal Server Error'],
  [
    'registry_unavailable',
    '',
    'reg.local/a',
    resolve('reg.local/a:1', 'pulling from host reg.local failed with status code [manifests 1]: 504 Gateway Timeout'),
  ],
  [
    'registry_unavailable',
    '',
    'reg.local/a',
    daemon(
      'error parsing HTTP 502 response body: invalid character \'<\' looking for beginning of value: "<html><head><title>502 Bad Gateway</title></head></html>"',
    ),
  ],
  [
    'registry_unavailable',
    '',
    'quay.io/a/b',
    resolve(
      'quay.io/a/b:1',
      'failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://quay.io/v2/auth: 502 Bad Gateway',
    ),
  ],
  [
    'registry_unavailable',
    '',
    'ghcr.io/a/b',
    unpack('ghcr.io/a/b:1', `failed to copy: httpReadSeeker: failed open: unexpected status code https://ghcr.io/v2/a/b/blobs/${DIGEST}: 524`),
  ],
  [
    'registry_auth',
    '',
    'reg.local/a:1',
    '[failed to resolve reference "reg.local/a:1": unexpected status from HEAD request to https://reg.local/v2/a/manifests/1: 500 Internal Server Error, failed to resolve reference "reg.local/a:1": unexpected status from HEAD request to https://reg.local/v2/a/manifests/1: 401 Unauthorized]',
  ],
  [
    'registry_auth',
    '',
    'reg.local/a:1',
    daemon('Head "https://reg.local/v2/a/manifests/1": received unexpected HTTP status: 500 Internal Server Error: invalid username or password'),
  ],
  [
    'registry_unavailable',
    '',
    'reg.local/a:1',
    'failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://reg.local/jwt/auth: 500 Internal Server Error',
  ],
  ['registry_unavailable', '', 'reg.local/a:1', 'unable to retrieve auth token: invalid status code from registry 500 (Internal Server Error)'],
  ['registry_unavailable', '', 'reg.local/a', 'image pull failed for reg.local/a because the registry is unavailable'],
  // timeouts and stalls
  ['pull_timeout', '', 'nginx', 'rpc error: code = 4 desc = context deadline exceeded'],
  ['pull_timeout', '', 'reg.local/a', 'rpc error: code = DeadlineExceeded desc = context deadline exceeded'],
  [
    'pull_timeout',
    '',
    'reg.local/a',
    'rpc error: code = Canceled desc = failed to pull and unpack image "reg.local/a:1": failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://reg.local/v2/a/blobs/sha256:d0157ca575c725b6dbdc6c7b843b8614963fda6ca619af9932bfbbb39c450c5a": context canceled',
  ],
  ['pull_timeout', '', 'nginx', daemon('Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout')],
  [
    'pull_timeout',
    '',
    'nginx',
    daemon('Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)'),
  ],
  ['pull_timeout', '', 'nginx', 'net/http: request canceled'],
  [
    'pull_timeout',
    '',
    'nginx',
    unpack(
      'docker.io/library/nginx:latest',
      `failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://production.cloudflare.docker.com/registry-v2/docker/registry/v2/blobs/sha256/42/data": EOF`,
    ),
  ],
  ['pull_timeout', '', 'reg.local/a', unpack('reg.local/a:1', 'failed to copy: read tcp 10.0.0.4:51000->10.1.1.1:443: read: connection reset by peer')],
  ['pull_timeout', '', 'reg.local/a', daemon('unexpected EOF')],
  ['pull_timeout', '', 'reg.local/a', 'copying config: context canceled'],
  [
    'pull_timeout',
    '',
    'reg.local/a',
    unpack(
      'reg.local/a:1',
      'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://reg.local/x": read tcp 10.0.0.4:51000->10.1.1.1:443: i/o timeout',
    ),
  ],
  ['pull_timeout', '', 'reg.local/a', unpack('reg.local/a:1', 'failed to copy: stream error: stream ID 7; INTERNAL_ERROR; received from peer')],
  [
    'pull_timeout',
    '',
    'reg.local/a',
    'writing blob: storing blob to file "/var/tmp/storage123/1": happened during read: http2: server sent GOAWAY and closed the connection',
  ],
  // authorization
  [
    'registry_auth',
    '',
    '127.0.0.1:5001/private/app:v1',
    'failed to pull and unpack image "127.0.0.1:5001/private/app:v1": failed to resolve reference "127.0.0.1:5001/private/app:v1": pulling from host 127.0.0.1:5001 failed with status code [manifests v1]: 401 Unauthorized',
  ],
  [
    'registry_auth',
    '',
    'shop/web',
    resolve(
      'docker.io/shop/web:1',
      'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
    ),
  ],
  [
    'registry_auth',
    '',
    'shop/web',
    daemon("pull access denied for shop/web, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"),
  ],
  [
    'registry_auth',
    '',
    'shop/web',
    'Error reading manifest latest in docker.io/shop/web: errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required\n',
  ],
  [
    'registry_auth',
    '',
    'shop/web',
    'initializing source docker://shop/web:latest: reading manifest latest in docker.io/shop/web: requested access to the resource is denied',
  ],
  [
    'registry_auth',
    '',
    '1.dkr.ecr.us-east-1.amazonaws.com/a:1',
    resolve(
      '1.dkr.ecr.us-east-1.amazonaws.com/a:1',
      'pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials',
    ),
  ],
  [
    'registry_auth',
    '',
    '1.dkr.ecr.us-east-1.amazonaws.com/a:1',
    daemon('Get https://1.dkr.ecr.us-east-1.amazonaws.com/v2/a/manifests/1: no basic auth credentials'),
  ],
  ['registry_auth', '', '1.dkr.ecr.us-east-1.amazonaws.com/a:1', daemon('denied: Your authorization token has expired. Reauthenticate and try again.')],
  [
    'registry_auth',
    '',
    '1.dkr.ecr.us-east-1.amazonaws.com/a:1',
    resolve(
      '1.dkr.ecr.us-east-1.amazonaws.com/a:1',
      'unexpected status from HEAD request to https://1.dkr.ecr.us-east-1.amazonaws.com/v2/a/manifests/1: 403 Forbidden',
    ),
  ],
  [
    'registry_auth',
    '',
    'us-docker.pkg.dev/p/r/i',
    daemon(
      'denied: Permission "artifactregistry.repositories.downloadArtifacts" denied on resource "projects/p/locations/us/repositories/r" (or it may not exist)',
    ),
  ],
  [
    'registry_auth',
    '',
    'us-docker.pkg.dev/p/r/i',
    daemon(
      'denied: Unauthenticated request. Unauthenticated requests do not have permission "artifactregistry.repositories.downloadArtifacts" on resource "projects/p/locations/us/repositories/r" (or it may not exist)',
    ),
  ],
  [
    'registry_auth',
    '',
    'gcr.io/p/i',
    daemon("unauthorized: You don't have the needed permissions to perform this operation, and you may have invalid credentials."),
  ],
  ['registry_auth', '', 'gcr.io/p/i', daemon('denied: Permission denied for "latest" from request "/v2/p/i/manifests/latest". ')],
  [
    'registry_auth',
    '',
    'x.azurecr.io/i:1',
    resolve(
      'x.azurecr.io/i:1',
      'failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://x.azurecr.io/oauth2/token?scope=repository%3Ai%3Apull&service=x.azurecr.io: 401 Unauthorized',
    ),
  ],
  [
    'registry_auth',
    '',
    'x.azurecr.io/i:1',
    '[rpc error: code = NotFound desc = failed to pull and unpack image "x.azurecr.io/i:1": x.azurecr.io/i:1: not found, failed to pull and unpack image "x.azurecr.io/i:1": failed to resolve reference "x.azurecr.io/i:1": failed to authorize: failed to fetch oauth token: 401 Unauthorized]',
  ],
  [
    'registry_auth',
    '',
    'x.azurecr.io/i:1',
    daemon('unauthorized: authentication required, visit https://aka.ms/acr/authorization for more information. CorrelationId: 7a1b'),
  ],
  ['registry_auth', '', 'ghcr.io/a/b', daemon('denied: denied')],
  ['registry_auth', '', 'ghcr.io/a/b', daemon('Head "https://ghcr.io/v2/a/b/manifests/latest": denied')],
  [
    'registry_auth',
    '',
    'ghcr.io/a/b',
    resolve(
      'ghcr.io/a/b:1',
      'failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=repository%3Aa%2Fb%3Apull&service=ghcr.io: 403 Forbidden',
    ),
  ],
  ['registry_auth', '', 'quay.io/a/b', 'reading manifest v1 in quay.io/a/b: unauthorized: access to the requested resource is not authorized'],
  [
    'registry_auth',
    '',
    'harbor.local/p/a',
    daemon('unauthorized: unauthorized to access repository: p/a, action: pull: unauthorized to access repository: p/a, action: pull'),
  ],
  [
    'registry_auth',
    '',
    'registry.gitlab.com/a/b',
    resolve('registry.gitlab.com/a/b:1', 'pulling from host registry.gitlab.com failed with status code [manifests 1]: 403 Forbidden'),
  ],
  ['registry_auth', '', 'registry.gitlab.com/a/b', daemon('Head "https://registry.gitlab.com/v2/a/b/manifests/1": denied: access forbidden')],
  [
    'registry_auth',
    '',
    'registry.redhat.io/a',
    'unable to retrieve auth token: invalid username/password: unauthorized: Please login to the Red Hat Registry using your Customer Portal credentials.',
  ],
  [
    'registry_auth',
    '',
    'europe-west3-docker.pkg.dev/a/b',
    daemon('Head "https://europe-west3-docker.pkg.dev/v2/k8s-artifacts-prod/images/sig-storage/csi-provisioner/manifests/v4.0.0": Forbidden'),
  ],
  ['registry_auth', '', 'nexus3:8083/ci:1', daemon('Get http://nexus3:8083/v2/ci/manifests/1: no basic auth credentials')],
  [
    'registry_auth',
    'credential_plugin',
    '1.dkr.ecr.us-east-1.amazonaws.com/a',
    daemon('error getting credentials - err: exec: "docker-credential-ecr-login": executable file not found in $PATH, out: ``'),
  ],
  // not found
  [
    'image_not_found',
    '',
    '127.0.0.1:5001/missing/app:v9',
    'rpc error: code = NotFound desc = failed to pull and unpack image "127.0.0.1:5001/missing/app:v9": failed to resolve reference "127.0.0.1:5001/missing/app:v9": 127.0.0.1:5001/missing/app:v9: not found',
  ],
  ['image_not_found', '', 'drainnode/leader:v1.0-rc9', daemon('manifest for drainnode/leader:v1.0-rc9 not found: manifest unknown: manifest unknown')],
  ['image_not_found', '', 'quay.io/a/b:9', 'initializing source docker://quay.io/a/b:9: reading manifest 9 in quay.io/a/b: manifest unknown'],
  [
    'image_not_found',
    '',
    '1.dkr.ecr.us-east-1.amazonaws.com/a:1',
    daemon("repository 1.dkr.ecr.us-east-1.amazonaws.com/a not found: name unknown: The repository with name 'a' does not exist in the registry with id '1'"),
  ],
  ['image_not_found', '', 'harbor.local/p/a:9', resolve('harbor.local/p/a:9', 'harbor.local/p/a:9: not found')],
  ['image_not_found', '', 'harbor.local/p/a:9', daemon('unknown: artifact p/a:9 not found')],
  [
    'image_not_found',
    '',
    'gcr.io/p/a:9',
    daemon('manifest for gcr.io/p/a:9 not found: manifest unknown: Failed to fetch "9" from request "/v2/p/a/manifests/9".'),
  ],
  [
    'image_not_found',
    '',
    'reg.local/a:9',
    resolve('reg.local/a:9', 'unexpected status from HEAD request to https://reg.local/v2/a/manifests/9: 404 Not Found'),
  ],
  ['image_not_found', '', 'reg.local/a:9', 'MANIFEST_UNKNOWN: manifest unknown; map[Tag:9]'],
  ['image_not_found', '', 'reg.local/a', 'repository name not known to registry'],
  ['image_not_found', '', 'mcr.microsoft.com/azuredocs/aci-hellowrld', 'rpc error: code 2 desc Error: image t/aci-hellowrld:latest not found'],
  [
    'image_not_found',
    '',
    'quay.io/a/b:old',
    'reading manifest old in quay.io/a/b: unknown: Tag old was deleted or has expired. To pull, revive via time machine',
  ],
  [
    'image_not_found',
    '',
    'reg.local/a:9',
    unpack(
      'reg.local/a:9',
      `failed to copy: httpReadSeeker: failed open: could not fetch content descriptor ${DIGEST} (application/vnd.docker.distribution.manifest.v2+json) from remote: not found`,
    ),
  ],
  ['image_not_found', '', 'docker.io/library/registry:99', resolve('docker.io/library/registry:99', 'docker.io/library/registry:99: not found')],
  // platform
  ['platform_mismatch', '', 'reg.local/a:1', unpack('reg.local/a:1', `no match for platform in manifest ${DIGEST}: not found`)],
  ['platform_mismatch', '', 'reg.local/a:1', daemon('no matching manifest for linux/arm64/v8 in the manifest list entries')],
  [
    'platform_mismatch',
    '',
    'reg.local/a:1',
    'copying system image from manifest list: no image found in image index for architecture "arm64", variant "v8", OS "linux"',
  ],
  [
    'platform_mismatch',
    '',
    'reg.local/a:1',
    'choosing an image from manifest list docker://reg.local/a:1: no image found in manifest list for architecture "s390x", variant "", OS "linux"',
  ],
  ['platform_mismatch', '', 'reg.local/a:1', daemon('image operating system "windows" cannot be used on this platform')],
  ['platform_mismatch', '', 'reg.local/a:1', daemon('no matching manifest for windows/amd64 10.0.17763 in the manifest list entries')],
  [
    'platform_mismatch',
    '',
    'reg.local/a:1',
    daemon('image with reference reg.local/a:1 was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64'),
  ],
  // space
  [
    'no_space',
    '',
    'reg.local/a:1',
    unpack(
      'reg.local/a:1',
      `failed to extract layer ${DIGEST}: write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/45/fs/etc/passwd: no space left on device: unknown`,
    ),
  ],
  ['no_space', '', 'reg.local/a:1', daemon('failed to register layer: Error processing tar file(exit status 1): write /usr/lib/x.so: no space left on device')],
  ['no_space', '', 'reg.local/a:1', 'writing blob: storing blob to file "/var/tmp/storage1/1": write /var/tmp/storage1/1: no space left on device'],
  ['no_space', '', 'reg.local/a:1', daemon('failed to register layer: re-exec error: exit status 1: output: There is not enough space on the disk.')],
  // corrupt, signature
  [
    'image_corrupt',
    '',
    'reg.local/a:1',
    unpack(
      'reg.local/a:1',
      `failed commit on ref "layer-${DIGEST}": unexpected commit digest sha256:a8f2c3f33adf8b40a3f21558f2a7e48f, expected ${DIGEST}: failed precondition`,
    ),
  ],
  ['image_corrupt', '', 'reg.local/a:1', daemon(`filesystem layer verification failed for digest ${DIGEST}`)],
  [
    'image_corrupt',
    '',
    'reg.local/a:1',
    unpack(
      'reg.local/a:1',
      `failed to unpack image on snapshotter overlayfs: failed to extract layer ${DIGEST}: mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount938: unexpected EOF: unknown`,
    ),
  ],
  [
    'image_corrupt',
    '',
    'reg.local/a:1',
    unpack('reg.local/a:1', `failed to extract layer ${DIGEST}: exit status 1: unpigz: skipping: <stdin>: corrupted -- incomplete deflate data`),
  ],
  ['image_corrupt', '', 'reg.local/a:1', daemon('failed to register layer: archive/tar: invalid tar header')],
  ['image_corrupt', '', 'reg.local/a:1', unpack('reg.local/a:1', `wrong diff id calculated on extraction "${DIGEST}"`)],
  [
    'image_corrupt',
    '',
    'reg.local/a:1',
    unpack('reg.local/a:1', `failed to unpack image on snapshotter overlayfs: unexpected media type text/html for ${DIGEST}: not found`),
  ],
  [
    'image_corrupt',
    '',
    'reg.local/a:1',
    unpack(
      'reg.local/a:1',
      'not implemented: media type "application/vnd.docker.distribution.manifest.v1+prettyjws" is no longer supported since containerd v2.0, please rebuild the image',
    ),
  ],
  [
    'image_corrupt',
    '',
    'reg.local/a:1',
    unpack('reg.local/a:1', `failed to extract layer ${DIGEST}: failed to get reader from content store: content digest ${DIGEST}: not found`),
  ],
  ['image_corrupt', '', 'reg.local/a:1', 'writing blob: happened during read: Digest did not match, expected sha256:aaaaaaaaaaaa, got sha256:bbbbbbbbbbbb'],
  ['image_corrupt', 'signature', 'reg.local/a:1', 'SignatureValidationFailed: Source image rejected: A signature was required, but no signature exists'],
  ['image_corrupt', 'signature', 'reg.local/a:1', 'Source image rejected: Running image docker://reg.local/a:1 is rejected by policy.'],
  [
    'image_corrupt',
    'signature',
    'reg.local/a:1',
    'image pull failed for reg.local/a:1 because the signature validation failed: Source image rejected: Invalid GPG signature',
  ],
  // the same meanings in the words of others
  [
    'registry_network',
    'public_endpoint_acl',
    'x.azurecr.io/i:1',
    daemon(
      'Head "https://x.azurecr.io/v2/i/manifests/1": denied: client with IP \'20.1.2.3\' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.',
    ),
  ],
  ['registry_network', 'dns', 'nginx', daemon('Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: Try again')],
  ['registry_network', '', 'nginx', daemon('error pulling image configuration: download failed after attempts=6: dial tcp 104.18.121.25:443: i/o timeout')],
  [
    'registry_network',
    '',
    'reg.local/a',
    'pinging container registry reg.local: Get "https://reg.local/v2/": dial tcp 10.0.0.1:443: connect: permission denied',
  ],
  ['pull_timeout', '', 'nginx', daemon('error pulling image configuration: download failed after attempts=6: EOF')],
  [
    'pull_timeout',
    '',
    'reg.local/a',
    daemon('unexpected error when reading response body. Please retry. Error: read tcp 10.0.0.4:41000->10.1.1.1:443: use of closed network connection'),
  ],
  ['registry_unavailable', '', 'quay.io/a/b', 'reading manifest v1 in quay.io/a/b: StatusCode: 503, "<html><body><h1>503 Service Unavailable</h1>"'],
  [
    'registry_unavailable',
    '',
    'reg.local/a',
    'initializing source docker://reg.local/a:1: Requesting bearer token: invalid status code from registry 502 (Bad Gateway)',
  ],
  ['registry_unavailable', '', 'reg.local/a', daemon('Head "https://reg.local/v2/a/manifests/1": Service Unavailable')],
  [
    'registry_auth',
    '',
    'reg.local/a',
    'initializing source docker://reg.local/a:1: Requesting bearer token: invalid status code from registry 403 (Forbidden)',
  ],
  ['registry_auth', '', 'registry.gitlab.com/a/b', daemon('Get "https://registry.gitlab.com/v2/a/b/manifests/1": unauthorized: HTTP Basic: Access denied')],
  [
    'registry_auth',
    '',
    '1.dkr.ecr.us-east-1.amazonaws.com/a:1',
    daemon(
      'denied: User: arn:aws:sts::1:assumed-role/node/i-1 is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:1:repository/a because no identity-based policy allows it',
    ),
  ],
  ['registry_auth', '', 'art.example.com/a', daemon('unauthorized: The client does not have permission for manifest: a/1/manifest.json')],
  ['registry_auth', '', 'nginx', daemon('unauthorized: incorrect username or password')],
  [
    'image_not_found',
    '',
    'reg.local/a',
    'Error: initializing source docker://reg.local/a:1: reading manifest 1 in reg.local/a: StatusCode: 404, "page not found"',
  ],
  ['image_not_found', '', 'reg.local/a', daemon('download failed after attempts=1: unknown blob')],
  [
    'image_corrupt',
    '',
    'reg.local/a',
    'copying system image from manifest list: parsing image configuration: unsupported image-specific operation on artifact with type "application/vnd.docker.container.image.v1+json"',
  ],
  [
    'image_corrupt',
    '',
    'reg.local/a',
    unpack(
      'reg.local/a:1',
      `failed to extract layer ${DIGEST}: failed to get stream processor for application/vnd.in-toto+json: no processor for media-type: unknown`,
    ),
  ],
  [
    'image_corrupt',
    '',
    'reg.local/a',
    unpack('reg.local/a:1', `failed commit on ref "config-${DIGEST}": failed size validation: 5168 != 5167: failed precondition`),
  ],
  // the runtime itself, and what nobody knows
  [
    'other',
    '',
    'reg.local/a:1',
    'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing dial unix /run/containerd/containerd.sock: connect: connection refused"',
  ],
  ['other', '', 'reg.local/a:1', 'rpc error: code = Unavailable desc = transport is closing'],
  ['other', '', 'reg.local/a:1', 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?'],
  ['other', '', 'reg.local/a:1', 'rpc error: code = Unknown desc = something new'],
];

for (const [cause, detail, image, message] of cases) {
  test(`reads ${cause} ${detail} out of: ${message.slice(0, 150)}`, () => {
    const verdict = classifyPullError(message, image);
    assert.deepEqual({ cause: verdict.cause, detail: verdict.detail }, { cause, detail });
  });
}

/** What wraps the same error in other places must not change its meaning. */
const wrappers: readonly ((image: string, message: string) => string)[] = [
  (image, message) => `Failed to pull image "${image}": ${message}`,
  (image, message) => `(combined from similar events): Failed to pull image "${image}": ${message}`,
  (image, message) => `Back-off pulling image "${image}": ErrImagePull: ${message}`,
  (_image, message) => `[${message}, ${message}]`,
];
test('means the same in an Event, in a combined Event, in ImagePullBackOff since 1.32, and joined with itself', () => {
  for (const [cause, detail, image, message] of cases) {
    for (const wrap of wrappers) {
      const verdict = classifyPullError(wrap(image, message), image);
      assert.deepEqual({ cause: verdict.cause, detail: verdict.detail }, { cause, detail }, wrap(image, message));
    }
  }
});

/** Names that are words of errors. */
const trickyNames = [
  'not-found/unauthorized',
  'reg.local/denied/toomanyrequests:429',
  'reg.local/x509/timeout:no-such-host',
  'registry:2',
  'reg.local:5000/forbidden:503',
];
test('takes no word of an image name for a word of the error', () => {
  for (const name of trickyNames) {
    const text = `Failed to pull image "${name}": failed to pull and unpack image "${name}": failed to resolve reference "${name}": something new about ${name}`;
    assert.equal(classifyPullError(text, name).cause, 'other', text);
    const missing = `rpc error: code = NotFound desc = failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${name}: not found`;
    assert.equal(classifyPullError(missing, name).cause, 'image_not_found', missing);
  }
});

test('calls transport failures, limits and outages transient, and nothing else', () => {
  const transient = new Set(cases.filter(([, , image, message]) => classifyPullError(message, image).transient).map(([cause]) => cause));
  assert.deepEqual([...transient].sort(), ['other', 'pull_throttled', 'pull_timeout', 'registry_network', 'registry_unavailable']);
});

test('says of a denial that also stands for a missing repository that it is only likely', () => {
  const hub = classifyPullError(
    'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
    'shop/web',
  );
  assert.deepEqual([hub.ambiguous, hub.confidence], [true, 'likely']);
  const ecr = classifyPullError('no basic auth credentials', '1.dkr.ecr.us-east-1.amazonaws.com/a');
  assert.deepEqual([ecr.ambiguous, ecr.confidence], [false, 'certain']);
});

test('knows the texts that name no cause', () => {
  for (const text of ['', 'Back-off pulling image "nginx:1"', 'Error: ErrImagePull', 'Error: ImagePullBackOff', 'ImagePullBackOff'])
    assert.equal(namesNoCause(text), true, text);
  for (const text of ['Back-off pulling image "nginx:1": ErrImagePull: not found', 'pull QPS exceeded']) assert.equal(namesNoCause(text), false, text);
});
