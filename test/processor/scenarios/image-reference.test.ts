import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCredentialPlugin, isOverseas, parseImage } from '../../../processor/scenarios/image-reference.ts';

const references: readonly (readonly [image: string, registry: string, repository: string])[] = [
  ['nginx', 'docker.io', 'library/nginx'],
  ['nginx:1.25', 'docker.io', 'library/nginx'],
  ['shop/web:1', 'docker.io', 'shop/web'],
  ['docker.io/nginx', 'docker.io', 'library/nginx'],
  ['index.docker.io/shop/web', 'docker.io', 'shop/web'],
  ['localhost/web', 'localhost', 'web'],
  ['localhost:5000/web:1', 'localhost:5000', 'web'],
  ['registry:5000/a/b', 'registry:5000', 'a/b'],
  ['reg.example.com/a/b/c:1@sha256:aaaa', 'reg.example.com', 'a/b/c'],
  ['reg.example.com:443/a@sha256:aaaa', 'reg.example.com:443', 'a'],
  ['', 'docker.io', 'library/'],
];
for (const [image, registry, repository] of references) {
  test(`splits "${image}"`, () => assert.deepEqual(parseImage(image), { registry, repository }));
}

test('knows the registries whose cloud brings the credentials', () => {
  const own = [
    '1.dkr.ecr.us-east-1.amazonaws.com',
    '1.dkr.ecr.cn-north-1.amazonaws.com.cn',
    'x.azurecr.io',
    'gcr.io',
    'eu.gcr.io',
    'us-docker.pkg.dev',
    'registry.cn-hangzhou.aliyuncs.com',
    'swr.cn-north-4.myhuaweicloud.com',
  ];
  assert.deepEqual(
    own.filter((registry) => !hasCredentialPlugin(registry)),
    [],
  );
  assert.deepEqual(['docker.io', 'quay.io', 'ghcr.io', 'reg.example.com', 'notgcr.io', 'gcr.io.example.com'].filter(hasCredentialPlugin), []);
});

const borders: readonly (readonly [registry: string, region: string | undefined, overseas: boolean])[] = [
  ['gcr.io', 'cn-hangzhou', true],
  ['docker.io', 'cn-north-1', true],
  ['registry.k8s.io', 'ap-beijing', true],
  ['quay.io', 'chinaeast2', true],
  ['gcr.io', undefined, true],
  ['docker.io', undefined, false],
  ['gcr.io', 'us-east-1', false],
  ['docker.io', 'cn-hongkong', false],
  ['registry.cn-hangzhou.aliyuncs.com', 'cn-hangzhou', false],
];
for (const [registry, region, overseas] of borders) {
  test(`${registry} from ${region ?? 'an unknown region'} is ${overseas ? '' : 'not '}behind the border`, () =>
    assert.equal(isOverseas(registry, region), overseas));
}
