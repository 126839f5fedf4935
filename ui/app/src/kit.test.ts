import { expect, test } from "vitest";
import { fitting } from "./kit";

test("55: columns that can be spared make room, the most dispensable and the last first", () => {
  const columns = [{ key: "name", width: "minmax(130px, 2fr)" }, { key: "flags", width: "96px", spare: 3 }, { key: "services", width: "120px", spare: 3 }, { key: "duration", width: "minmax(84px, 1fr)" }, { key: "start", width: "104px", spare: 1 }];
  const at = (width: number) => fitting(columns, width).map((c) => c.key).join();
  // with gaps and edges 610 in all; on a narrow screen, where these are less, 451 without services
  expect([at(610), at(609), at(450), at(400), at(100)]).toEqual(["name,flags,services,duration,start", "name,flags,duration,start", "name,duration,start", "name,duration,start", "name,duration"]);
});
