/**
 * Whether programs really are kept off isolated CPUs, and really let back: on a kernel that has cpuset in cgroup version 2,
 * under this machine's systemd and without any.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { runGuest } from "./guest.ts";
import { missingForGuest } from "./prerequisites.ts";
import { register } from "./register.ts";

/** A neighbour uses the controller, as guests do: systemd then leaves it on, with what was written last. */
const UNDER_SYSTEMD = `
state() {
  echo "@@$1"
  for group in system.slice user.slice init.scope machine.slice; do
    echo "$group $(cat /sys/fs/cgroup/$group/cpuset.cpus.effective)"
  done
  echo "process 1 $(grep Cpus_allowed_list /proc/1/status | cut -f2)"
  echo "said $(systemctl show -p AllowedCPUs --value system.slice user.slice init.scope | tr -d '\\n')"
  echo "@@end"
}
systemctl start user.slice machine.slice
systemctl set-property --runtime machine.slice AllowedCPUs=0-1
state before
hook prepare begin
state during
hook release end
state after
`;

register("CPUs are isolated under systemd with cgroup version 2", missingForGuest(), async (t) => {
  const at = await runGuest(UNDER_SYSTEMD, { init: "systemd" });
  await t.step("the host's slices, and process 1, run on what is left while a guest lives", () => {
    assertEquals(at("prepare"), "0\n");
    assertEquals(at("during"), slices({ own: "0", said: "000" }));
  });
  await t.step("afterwards they run on all CPUs again, and nothing is said", () => {
    assertEquals(at("release"), "0\n");
    assertEquals(at("after"), slices({ own: "0-1", said: "" }));
    assertEquals(at("after"), at("before"));
  });
});

function slices({ own, said }: { readonly own: string; readonly said: string }): string {
  const groups = ["system.slice", "user.slice", "init.scope"].map((group) => `${group} ${own}`);
  return [...groups, "machine.slice 0-1", `process 1 ${own}`, `said ${said}`, ""].join("\n");
}

const WITHOUT_SYSTEMD = `
groups=/sys/fs/cgroup
mkdir $groups/system
hook prepare begin refused
echo +cpuset >$groups/cgroup.subtree_control
mkdir $groups/users $groups/machine
echo 0-1 >$groups/users/cpuset.cpus
sleep 1000 &
echo $! >$groups/system/cgroup.procs
state() {
  echo "@@$1"
  for group in system users machine; do
    echo "$group '$(cat $groups/$group/cpuset.cpus)' $(cat $groups/$group/cpuset.cpus.effective)"
  done
  echo "its program $(grep Cpus_allowed_list /proc/$!/status | cut -f2)"
  echo "@@end"
}
state before
hook prepare begin
state during
hook release end
state after
`;

register("CPUs are isolated without systemd, with cgroup version 2", missingForGuest(), async (t) => {
  const at = await runGuest(WITHOUT_SYSTEMD, { init: "shell" });
  await t.step("a guest is refused as long as groups have no cpuset controller", () => {
    assertEquals(at("refused"), "4\n");
  });
  await t.step("programs in groups run on what is left while a guest lives; guests' own group is not touched", () => {
    assertEquals(at("prepare"), "0\n");
    assertEquals(at("during"), "system '0' 0\nusers '0' 0\nmachine '' 0-1\nits program 0\n");
  });
  await t.step("afterwards they run where they did; a group with a program in it takes no empty list again", () => {
    assertEquals(at("before"), "system '' 0-1\nusers '0-1' 0-1\nmachine '' 0-1\nits program 0-1\n");
    assertEquals(at("release"), "0\n");
    assertEquals(at("after"), at("before").replace("system ''", "system '0-3'"));
  });
});
