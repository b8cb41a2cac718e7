import type {
  AppsV1Api,
  CoordinationV1Api,
  CoreV1Api,
  RequestContext,
  SecurityAuthentication,
  VersionApi,
} from '@kubernetes/client-node';
import { KubernetesError } from './errors.ts';
import type { KubeContext } from './types.ts';

export interface KubernetesApis {
  readonly apps: AppsV1Api;
  readonly core: CoreV1Api;
  readonly coordination: CoordinationV1Api;
  readonly version: VersionApi;
}

export interface Library {
  /** The library's classes, whose calls end when the signal does. */
  apis(signal: AbortSignal): KubernetesApis;
  close(): void;
}

/**
 * Loads the official client library (it costs a tenth of a second and 50 MB, so only when a call is made) and gives it
 * the credentials of a context. The library would open new connections for every request; here all requests share one
 * pool, made by the library itself so that TLS is set up exactly as it does.
 */
export async function loadLibrary(context: KubeContext, server: string, userAgent: string): Promise<Library> {
  if (process.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    throw new KubernetesError('tls', server, 'NODE_TLS_REJECT_UNAUTHORIZED=0 switches verification off: unset it');
  }
  const { auth } = context;
  if (auth.kind === 'other') throw new KubernetesError('unauthorized', server, auth.why);

  const k8s = await import('@kubernetes/client-node');
  const config = new k8s.KubeConfig();
  const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
  config.loadFromOptions({
    clusters: [
      {
        name: context.cluster,
        server,
        caData: base64(context.ca),
        skipTLSVerify: false,
        ...(context.tlsServerName === undefined ? {} : { tlsServerName: context.tlsServerName }),
      },
    ],
    users: [
      auth.kind === 'certificate'
        ? { name: context.user, certData: base64(auth.cert), keyData: base64(auth.key.reveal()) }
        : { name: context.user, token: auth.token.reveal() },
    ],
    contexts: [{ name: context.name, cluster: context.cluster, user: context.user }],
    currentContext: context.name,
  });
  const prepared = new k8s.RequestContext(server, k8s.HttpMethod.GET);
  await config.applySecurityAuthentication(prepared);
  const dispatcher = prepared.getDispatcher();
  if (dispatcher === undefined) throw new KubernetesError('other', server, 'the client library set up no TLS');
  const headers = Object.entries(prepared.getHeaders());

  const credentials: SecurityAuthentication = {
    getName: () => 'kubeconfig',
    applySecurityAuthentication(request: RequestContext) {
      request.setDispatcher(dispatcher);
      for (const [name, value] of headers) request.setHeaderParam(name, value);
    },
  };
  return {
    apis(signal) {
      const configuration = k8s.createConfiguration({
        baseServer: new k8s.ServerConfiguration(server, {}),
        authMethods: { default: credentials },
        promiseMiddleware: [
          {
            pre: async (request) => {
              request.setHeaderParam('User-Agent', userAgent);
              request.setSignal(signal);
              return request;
            },
            post: async (response) => response,
          },
        ],
      });
      return {
        apps: new k8s.AppsV1Api(configuration),
        core: new k8s.CoreV1Api(configuration),
        coordination: new k8s.CoordinationV1Api(configuration),
        version: new k8s.VersionApi(configuration),
      };
    },
    close: () => void dispatcher.destroy(),
  };
}
