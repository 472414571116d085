import { defineCatalog } from "@posthorn/core";
import { object, string } from "valibot";

/** What every contestant is given: a kilobyte of JSON, of one of ten organizations. */
export interface Data {
  readonly organization: string;
  readonly value: string;
}

const organization = (index: number): string => `organization-${index % 10}`;

export const organizations = (): readonly string[] =>
  Array.from({ length: 10 }, (_, index) => organization(index));

const filling = "x".repeat(960);

export const someData = (count: number): readonly Data[] =>
  Array.from({ length: count }, (_, index) => ({
    organization: organization(index),
    value: filling,
  }));

export const catalog = defineCatalog({
  parameter_updated: { schema: object({ organization: string(), value: string() }) },
});
