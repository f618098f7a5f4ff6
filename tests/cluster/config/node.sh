#!/bin/sh
# The node's first process: makes the private view of the machine in which containerd, the kubelet
# and the rest run, then holds it open. It is started in mount and network namespaces of its own, so
# every mount, interface, route and packet filter rule below ends with the cluster's last process.
#   $1: the cluster's state folder, seen inside as /run/cluster (short enough for unix sockets)
set -eu
cd "$1"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/cluster
mount --bind . /run/cluster
# The kubelet and the CNI plugins insist on folders in /var that a kubelet of the user's may own.
mount -t tmpfs -o mode=755 tmpfs /var
mkdir -p /var/lib /var/log /var/tmp
ln -s /run /var/run

# The kubelet sets these for the whole machine unless it finds the value that it wants.
while read -r key value; do
  echo "$value" >"/run/sysctl-$value"
  mount --bind "/run/sysctl-$value" "/proc/sys/$key"
done <<END
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
END

ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
exec sleep infinity
