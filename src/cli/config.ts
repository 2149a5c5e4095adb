/**
 * sanitize.yaml: the operator's configuration, read into Settings. Relative paths are relative to the file they stand in;
 * `${NAME}` comes from the environment, which is read nowhere else but here and in main.
 */
import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";
import type { z } from "zod";
import { isTimeZone } from "../erasure/zoned-time.ts";
import { UsageError } from "../errors.ts";
import { hardAgeLimit } from "../operations/gates.ts";
import type { Settings, SourceSettings } from "../operations/settings.ts";
import { readYamlDocument } from "../policy/yaml-document.ts";
import type { StoreLocation } from "../storage/open-store.ts";

export const defaultConfig = "./sanitize.yaml";

/** Milliseconds of `90s`, `15m`, `120h`, `5d`; `null` when it is none. */
function milliseconds(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|h|d)$/.exec(text);
  const unit = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ""];
  return match && unit ? Number(match[1]) * unit : null;
}

function configSchema(zod: typeof z) {
  const duration = zod.string().transform((text, context) => {
    const value = milliseconds(text);
    if (value !== null) return value;
    context.addIssue({ code: "custom", message: "expected a duration such as 90s, 15m, 120h or 5d" });
    return zod.NEVER;
  });
  const age = duration.refine(
    (value) => value <= hardAgeLimit,
    "cannot be more than 120h: five days is what was promised",
  );
  const store = {
    url: zod.string().min(1),
    region: zod.string().min(1).optional(),
    endpoint: zod.url({ protocol: /^https?$/ }).optional(),
    path_style: zod.boolean().optional(),
    checksums: zod.enum(["when_supported", "when_required"]).optional(),
    ca_file: zod.string().optional(),
    sse_c_key_file: zod.string().optional(),
  };
  const zone = zod.string().refine(isTimeZone, "expected an IANA time zone such as Europe/Amsterdam");
  return zod.strictObject({
    source: zod.strictObject({
      ...store,
      timezone: zone.optional(),
      database: zod.string().min(1).optional(),
      age_identity_file: zod.string().min(1).optional(),
      age_passphrase_file: zod.string().min(1).optional(),
    }),
    target: zod
      .strictObject({
        url: zod.string().regex(/^postgres(ql)?:\/\//, "expected a postgres:// URL that names the database"),
        region: zod.string().optional(),
        allowed_hosts: zod.array(zod.string().min(1)).optional(),
        tls: zod.enum(["verify-full", "require", "disable"]).optional(),
        ca_file: zod.string().optional(),
      })
      .optional(),
    ledger: zod.strictObject({ ...store, key_file: zod.string().min(1), max_staleness: duration.optional() }),
    policy: zod.string().min(1),
    limits: zod
      .strictObject({
        max_backup_age: age.optional(),
        jobs: zod.number().int().min(1).max(64).optional(),
        max_expansion: zod.number().gt(1).optional(),
      })
      .optional(),
    evidence: zod.strictObject({ ...store, signing_key_file: zod.string().optional() }).optional(),
  });
}

type ConfigFile = z.output<ReturnType<typeof configSchema>>;
type StoreConfig = Pick<
  ConfigFile["ledger"],
  "url" | "region" | "endpoint" | "path_style" | "checksums" | "ca_file" | "sse_c_key_file"
>;

export interface ConfigOverrides {
  /** Taken instead of `target.url`. */
  readonly target?: string;
  readonly jobs?: number;
  /** Taken instead of `source.database`. */
  readonly database?: string;
  /** The command loads a database: without it, variables of the target's section need not be set. */
  readonly needsTarget?: boolean;
}

/** Stands for a variable that is not set where only the target's section may use it. */
const unsetUrl = "postgres://unset@localhost/";

/** Reads and checks the configuration. @throws UsageError with every issue's line and column. */
export async function readConfig(
  file: string,
  environment: NodeJS.ProcessEnv,
  overrides: ConfigOverrides = {},
): Promise<Settings> {
  refusePassword(overrides.target);
  const unset: string[] = [];
  const path = resolve(file);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new UsageError(`the configuration ${file} cannot be read`, {
      code: "config_missing",
      hint: "name it with --config, or see the README for a first one",
      cause,
    });
  });
  const document = await readYamlDocument<ConfigFile>({
    text,
    fileName: file,
    schema: configSchema,
    refuse: (issues) =>
      new UsageError(issues.join("\n"), {
        code: "config_invalid",
        hint: issues.every((issue) => issue.endsWith("} is not set"))
          ? "set the variable in the environment"
          : "the README names every setting",
      }),
    interpolate: (name) => {
      if (environment[name] !== undefined || (overrides.needsTarget && overrides.target === undefined))
        return environment[name];
      unset.push(name);
      return `${unsetUrl}${name}`;
    },
  });
  const { target: _target, ...others } = document.value;
  const missing = unset.find((name) => JSON.stringify(others).includes(`${unsetUrl}${name}`));
  if (missing !== undefined) {
    throw new UsageError(`${file} uses \${${missing}}, which is not set`, {
      code: "config_invalid",
      hint: "set the variable in the environment",
    });
  }
  return toSettings(document.value, dirname(path), overrides);
}

/** A password among the arguments is seen by everybody on the machine. */
function refusePassword(target: string | undefined): void {
  if (target === undefined || !/^[a-z]+:\/\/[^/?#]*:[^/?#@]+@|[?&]password=/i.test(target)) return;
  throw new UsageError("--target holds a password, which every user of this machine could read", {
    code: "usage",
    hint: "leave it out of the URL: PGPASSWORD, a PGPASSFILE, or target.url with a variable",
  });
}

function toSettings(config: ConfigFile, directory: string, overrides: ConfigOverrides): Settings {
  const at = (file: string): string => (isAbsolute(file) ? file : resolve(directory, file));
  const target = config.target ?? (overrides.target === undefined ? undefined : { url: overrides.target });
  return {
    source: sourceSettings(config.source, directory, overrides.database),
    target: target
      ? {
          url: overrides.target ?? target.url,
          region: target.region ?? null,
          allowedHosts: target.allowed_hosts ?? [],
          tls: target.tls ?? "verify-full",
          caFile: target.ca_file === undefined ? null : at(target.ca_file),
        }
      : null,
    ledger: {
      location: storeLocation(config.ledger, directory),
      keyFile: at(config.ledger.key_file),
      maxStaleness: config.ledger.max_staleness ?? 15 * 60_000,
    },
    policyFile: at(config.policy),
    limits: {
      maxBackupAge: config.limits?.max_backup_age ?? hardAgeLimit,
      jobs: overrides.jobs ?? config.limits?.jobs ?? 4,
      ...(config.limits?.max_expansion === undefined ? {} : { maxExpansion: config.limits.max_expansion }),
    },
    evidence: config.evidence
      ? {
          location: storeLocation(config.evidence, directory),
          signingKeyFile: config.evidence.signing_key_file === undefined ? null : at(config.evidence.signing_key_file),
        }
      : null,
  };
}

function sourceSettings(source: ConfigFile["source"], directory: string, named: string | undefined): SourceSettings {
  const at = (file: string): string => (isAbsolute(file) ? file : resolve(directory, file));
  const { age_identity_file: identities, age_passphrase_file: passphrase } = source;
  const database = named ?? source.database;
  return {
    location: storeLocation(source, directory),
    region: source.region ?? null,
    timezone: source.timezone ?? null,
    ...(database === undefined ? {} : { database }),
    ...(identities === undefined ? {} : { ageIdentityFile: at(identities) }),
    ...(passphrase === undefined ? {} : { agePassphraseFile: at(passphrase) }),
  };
}

/** Names of the configuration file into those of the storage room. */
export function storeLocation(store: StoreConfig, baseDirectory: string): StoreLocation {
  const at = (file: string): string => (isAbsolute(file) ? file : resolve(baseDirectory, file));
  return {
    url: store.url,
    baseDirectory,
    ...(store.region === undefined ? {} : { region: store.region }),
    ...(store.endpoint === undefined ? {} : { endpoint: store.endpoint }),
    ...(store.path_style === undefined ? {} : { pathStyle: store.path_style }),
    ...(store.checksums === undefined ? {} : { checksums: store.checksums }),
    ...(store.ca_file === undefined ? {} : { caFile: at(store.ca_file) }),
    ...(store.sse_c_key_file === undefined ? {} : { sseCKeyFile: at(store.sse_c_key_file) }),
  };
}
