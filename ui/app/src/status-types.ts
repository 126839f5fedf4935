// GET status of docs/ui-api.md.
export interface StatusAnswer {
  version: string; revision?: string; started: number; now: number; ready: boolean; trouble?: string;
  listeners: { name: string; address?: string; url?: string; tls?: boolean; open?: boolean }[];
  ingest: {
    received: number; accepted: number; rejected: number; failed: number;
    services?: { service: string; format: string; accepted: number }[];
    rejections?: { format?: string; reason: string; spans: number }[];
    failures?: { reason: string; spans: number }[];
    requests?: { reason: string; requests: number }[];
    misdirected?: { reason: string; path: string; requests: number }[];
  };
  store: {
    kind: string; dir?: string; bytes?: number; maxBytes?: number; maxAgeSeconds?: number; newest?: number; oldest?: number;
    spans?: number; headSpans?: number; services?: number; traces?: number; maxTraces?: number;
    partitions?: { name: string; born: number; bytes: number; spans: number; segments: number; oldest: number; newest: number; sealed: boolean }[];
  };
}
