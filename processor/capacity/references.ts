/** The objects a pod needs to exist before it can start: names only, as far as the spec states them. */
import type { Pod, Resource } from '../../collector/objects.ts';
import type { Fields } from './reading.ts';
import { compareText, fieldsOf, listOf, textOf } from './reading.ts';

export interface Reference {
  readonly resource: Resource;
  readonly name: string;
  /** Field path of the first mention. */
  readonly path: string;
}

/** ConfigMaps, Secrets, the ServiceAccount and claims; optional ones are left out. By resource, then name, each once. */
export function referencesOf(pod: Pod): readonly Reference[] {
  const found = new Map<string, Reference>();
  const add = (resource: Resource, source: Fields | undefined, field: string, path: string): void => {
    const name = textOf(source?.[field]) ?? '';
    if (name === '' || source?.['optional'] === true) return;
    const key = `${resource}/${name}`;
    if (!found.has(key)) found.set(key, { resource, name, path: `${path}.${field}` });
  };
  const { spec } = pod;
  add('serviceaccounts', fieldsOf(spec), 'serviceAccountName', 'spec');
  listOf(spec.imagePullSecrets).forEach((secret, index) => {
    add('secrets', fieldsOf(secret), 'name', `spec.imagePullSecrets[${index}]`);
  });
  listOf(spec.volumes).forEach((volume, index) => {
    const path = `spec.volumes[${index}]`;
    add('configmaps', fieldsOf(volume.configMap), 'name', `${path}.configMap`);
    add('secrets', fieldsOf(volume.secret), 'secretName', `${path}.secret`);
    add('persistentvolumeclaims', fieldsOf(volume.persistentVolumeClaim), 'claimName', `${path}.persistentVolumeClaim`);
    listOf(fieldsOf(volume['projected'])?.['sources']).forEach((source, position) => {
      add('configmaps', fieldsOf(source['configMap']), 'name', `${path}.projected.sources[${position}].configMap`);
      add('secrets', fieldsOf(source['secret']), 'name', `${path}.projected.sources[${position}].secret`);
    });
  });
  for (const field of ['initContainers', 'containers'] as const) {
    listOf(spec[field]).forEach((container, index) => {
      const path = `spec.${field}[${index}]`;
      listOf(container.envFrom).forEach((source, position) => {
        add('configmaps', fieldsOf(source.configMapRef), 'name', `${path}.envFrom[${position}].configMapRef`);
        add('secrets', fieldsOf(source.secretRef), 'name', `${path}.envFrom[${position}].secretRef`);
      });
      listOf(container.env).forEach((variable, position) => {
        const from = fieldsOf(variable.valueFrom);
        add('configmaps', fieldsOf(from?.['configMapKeyRef']), 'name', `${path}.env[${position}].valueFrom.configMapKeyRef`);
        add('secrets', fieldsOf(from?.['secretKeyRef']), 'name', `${path}.env[${position}].valueFrom.secretKeyRef`);
      });
    });
  }
  return [...found.values()].sort((a, b) => compareText(a.resource, b.resource) || compareText(a.name, b.name));
}
