import { randomUUID } from "node:crypto";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { beforeAll, describe } from "vitest";
import { testServers } from "../embedded/testing/servers.ts";
import { openStore } from "../storage/open-store.ts";
import { describeLedgerOn } from "./ledger.contract.ts";

const { s3 } = testServers();
const bucket = `ledger-${randomUUID()}`;

describe.skipIf(s3 === null)("with the S3 server (set S3_ENDPOINT, or install ceph)", () => {
  const { endpoint = "", region = "", accessKeyId = "", secretAccessKey = "" } = s3 ?? {};
  const credentials = { accessKeyId, secretAccessKey };

  beforeAll(async () => {
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
  });

  describeLedgerOn(
    "S3",
    {
      open: (name) => openStore({ url: `s3://${bucket}/${name}/`, endpoint, region, credentials, baseDirectory: "/" }),
    },
    24,
  );
});
