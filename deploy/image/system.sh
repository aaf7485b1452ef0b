#!/bin/sh
# system.sh PACKAGES DIRECTORY: unpack Debian packages, without the scripts that install them, and make of them a root
# file system in which Python runs. dpkg's status comes along: scanners read in it what is there.
set -eu
packages=$(cat "$1")
root=$2

mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/sbin" "$root/usr/lib64" "$root/var/lib/dpkg" "$root/etc/ssl/certs"
for directory in bin lib lib64 sbin; do ln -s "usr/$directory" "$root/$directory"; done

debs=$(mktemp -d)
cd "$debs"
chmod 777 .  # apt downloads as a user without rights
apt-get update
apt-get download $packages
for deb in *.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --keep-directory-symlink --directory "$root"
    { dpkg-deb --field "$deb"; printf 'Status: install ok installed\n\n'; } >> "$root/var/lib/dpkg/status"
done

# What installing would have done.
cat "$root"/usr/share/ca-certificates/mozilla/*.crt > "$root/etc/ssl/certs/ca-certificates.crt"
printf 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n' > "$root/etc/nsswitch.conf"
printf 'root:x:0:0:root:/:/nologin\nseq2serve:x:10001:10001:seq2serve:/:/nologin\n' > "$root/etc/passwd"
printf 'root:x:0:\nseq2serve:x:10001:\n' > "$root/etc/group"
mkdir -p "$root/tmp" && chmod 1777 "$root/tmp"

# What serves nobody here; licences stay.
cd "$root"
find usr/share/doc -type f ! -name copyright -delete
rm -rf usr/share/man usr/share/locale usr/share/lintian usr/share/bug usr/share/binfmts usr/share/applications \
    usr/share/pixmaps usr/lib/python3.11/lib2to3 usr/lib/python3.11/pydoc_data usr/share/python3/debpython
find usr/bin usr/sbin -mindepth 1 ! -name 'python3*' -delete
rm -rf boot home media mnt srv
find var -mindepth 1 -maxdepth 1 ! -name lib -exec rm -rf {} +
python3.11 -m compileall -q --invalidation-mode unchecked-hash -s "$root" -p / "$root/usr/lib/python3.11"
