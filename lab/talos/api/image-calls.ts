import { createHash } from 'node:crypto';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { installRelease } from '../life/releases.ts';
import type { Machine } from '../machine.ts';
import type { MachineControl } from './control.ts';
import { ContainerdNamespace } from './generated/common/common_pb.ts';
import { ImageServicePullLayerProgress_Status as Layer, type ImageService } from './generated/machine/image_pb.ts';
import type { LifecycleService } from './generated/machine/lifecycle_pb.ts';
import type { MachineService } from './generated/machine/machine_pb.ts';
import { releaseFrom } from './life-calls.ts';
import { programsOf } from './observed/programs.ts';

type Images = Pick<ServiceImpl<typeof ImageService>, 'list' | 'pull' | 'remove'>;
type Lifecycle = Pick<ServiceImpl<typeof LifecycleService>, 'install' | 'upgrade'>;
type OlderCalls = Pick<ServiceImpl<typeof MachineService>, 'imageList' | 'imagePull'>;

const LAYER_BYTES = 30_000_000n;

/** Images that were pulled by name since the machine booted, and those of what runs. Nothing is fetched from anywhere. */
export interface ImageStore {
  list(namespace: ContainerdNamespace): readonly { name: string; digest: string; size: bigint; createdAt: Date }[];
  /** Throws in a registry's words for an installer of a release that the lab does not have. */
  pull(namespace: ContainerdNamespace, reference: string): void;
  remove(namespace: ContainerdNamespace, reference: string): void;
}

export function createImageStore(machine: Machine, control: MachineControl): ImageStore {
  const pulled = new Map<string, Date>();
  const removed = new Set<string>();
  const keyOf = (namespace: ContainerdNamespace, name: string): string => `${namespace}/${name}`;
  const store: ImageStore = {
    list(namespace) {
      const spaces = namespace === ContainerdNamespace.NS_CRI ? 'k8s.io' : 'system';
      const running = programsOf(machine, control)
        .filter((program) => program.namespace === spaces)
        .map((program): [string, Date] => [program.image, machine.bootTime]);
      const own = [...pulled].flatMap(([key, at]): [string, Date][] =>
        key.startsWith(`${namespace}/`) ? [[key.slice(key.indexOf('/') + 1), at]] : [],
      );
      return [...new Map([...running, ...own])]
        .filter(([name]) => !removed.has(keyOf(namespace, name)))
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, createdAt]) => ({ name, digest: digestOf(name), size: LAYER_BYTES, createdAt }));
    },
    pull(namespace, reference) {
      if (/(^|\/)(metal-)?(installer)(-[a-z0-9]+)?:/.test(reference)) releaseFrom(reference, (why) => why);
      pulled.set(keyOf(namespace, reference), machine.ports.clock.wall());
      removed.delete(keyOf(namespace, reference));
    },
    remove(namespace, reference) {
      if (!store.list(namespace).some((image) => image.name === reference)) {
        throw new ConnectError(`image "${reference}": not found`, Code.NotFound);
      }
      pulled.delete(keyOf(namespace, reference));
      removed.add(keyOf(namespace, reference));
    },
  };
  return store;
}

export function imageCalls(store: ImageStore): Images {
  return {
    async *list({ containerd }) {
      for (const { createdAt, ...image } of store.list(containerd?.namespace ?? ContainerdNamespace.NS_UNKNOWN)) {
        yield { ...image, createdAt: timestampFromDate(createdAt) };
      }
    },
    async *pull({ containerd, imageRef }) {
      store.pull(containerd?.namespace ?? ContainerdNamespace.NS_UNKNOWN, imageRef);
      const layer = (status: Layer, offset: bigint) => ({
        response: {
          case: 'pullProgress' as const,
          value: { layerId: digestOf(`layer of ${imageRef}`), progress: { status, offset, total: LAYER_BYTES } },
        },
      });
      yield layer(Layer.DOWNLOADING, LAYER_BYTES / 2n);
      yield layer(Layer.EXTRACT_COMPLETE, LAYER_BYTES);
      yield { response: { case: 'name' as const, value: imageRef } };
    },
    remove({ containerd, imageRef }) {
      store.remove(containerd?.namespace ?? ContainerdNamespace.NS_UNKNOWN, imageRef);
      return {};
    },
  };
}

/** The calls that the image service has taken the place of. */
export function olderImageCalls(store: ImageStore): OlderCalls {
  return {
    async *imageList({ namespace }) {
      for (const { createdAt, ...image } of store.list(namespace)) {
        yield { ...image, createdAt: timestampFromDate(createdAt) };
      }
    },
    imagePull({ namespace, reference }) {
      store.pull(namespace, reference);
      return { messages: [{}] };
    },
  };
}

/** Installs a release next to the one that runs; the client reboots into it. */
export function lifecycleCalls(machine: Machine): Lifecycle {
  const message = (text: string) => ({ progress: { response: { case: 'message' as const, value: text } } });
  return {
    async *upgrade({ source }) {
      const release = releaseFrom(source?.imageName ?? '', (why) => why);
      yield message(`running Talos installer ${release}`);
      await installRelease(machine, release);
      yield message(`installation of ${release} complete`);
      yield { progress: { response: { case: 'exitCode' as const, value: 0 } } };
    },
    // A machine of the lab always starts from a disk that has Talos on it.
    async *install() {
      yield await Promise.reject(new ConnectError('Talos is already installed', Code.FailedPrecondition));
    },
  };
}

const digestOf = (name: string): string => `sha256:${createHash('sha256').update(name).digest('hex')}`;
