/** Reads an image reference the way container runtimes do, and knows the registries whose behaviour matters to a cause. */

export interface ImageReference {
  /** Host with port; `docker.io` where the reference names none. */
  readonly registry: string;
  /** Path within the registry; `library/` is added for Docker Hub's official images. */
  readonly repository: string;
}

/** Splits a reference by the rules of distribution/reference: the first part is a host if it has a dot, a port, or is localhost. */
export function parseImage(image: string): ImageReference {
  const [beforeDigest = ''] = image.split('@', 1);
  const slash = beforeDigest.indexOf('/');
  const first = slash < 0 ? '' : beforeDigest.slice(0, slash);
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const path = isHost ? beforeDigest.slice(slash + 1) : beforeDigest;
  const colon = path.lastIndexOf(':');
  const repository = colon > path.lastIndexOf('/') ? path.slice(0, colon) : path;
  const registry = isHost ? first : 'docker.io';
  const isHub = registry === 'docker.io' || registry === 'index.docker.io' || registry === 'registry-1.docker.io';
  return { registry: isHub ? 'docker.io' : registry, repository: isHub && !repository.includes('/') ? `library/${repository}` : repository };
}

/**
 * Registries of clouds whose nodes get credentials from a plugin (kubelet credential provider, or a credential helper that
 * writes Secrets), so that a pod without pull secrets is expected to work: ECR, ACR, GCR and Artifact Registry, Alibaba ACR,
 * Huawei SWR, Tencent TCR.
 */
const PLUGIN_REGISTRIES =
  /(?:\.dkr[.-]ecr(?:-fips)?\..*amazonaws\.com(?:\.cn)?|\.azurecr\.(?:io|cn|us)|(?:^|\.)gcr\.io|\.pkg\.dev|\.aliyuncs\.com|\.myhuaweicloud\.com|\.tencentcloudcr\.com|ccs\.tencentyun\.com)(?::\d+)?$/;

/** Whether the cloud of this registry hands its credentials to nodes through a plugin. */
export function hasCredentialPlugin(registry: string): boolean {
  return PLUGIN_REGISTRIES.test(registry);
}

/** Public registries outside mainland China that are slow or blocked from there (seed article, image pull failure). */
const OVERSEAS =
  /(?:^|\.)(?:gcr\.io|pkg\.dev|registry\.k8s\.io|docker\.io|quay\.io|ghcr\.io|mcr\.microsoft\.com|docker\.elastic\.co|nvcr\.io|public\.ecr\.aws)$/;
const GOOGLE = /(?:^|\.)(?:gcr\.io|pkg\.dev|registry\.k8s\.io)$/;

/** Regions of mainland China as AWS, Azure, Alibaba, Huawei and Tencent label nodes (`topology.kubernetes.io/region`). */
const CHINA_REGION = /^(?:cn-(?!hongkong)|china|ap-(?:beijing|shanghai|guangzhou|nanjing|chengdu|chongqing|shenzhen))/;

/**
 * Whether a connection failure towards this registry is best explained by the border: the node says that it stands in mainland
 * China, or says nothing and the registry is Google's, which restricts nobody and answers everywhere else.
 */
export function isOverseas(registry: string, region: string | undefined): boolean {
  return region === undefined ? GOOGLE.test(registry) : CHINA_REGION.test(region) && OVERSEAS.test(registry);
}
