#!/usr/bin/perl
# Cache::Memcached::Fast: the text protocol, a client in C. The protocol with the suite is in report.py.
use strict;
use warnings;
use Cache::Memcached::Fast;
use JSON::PP;
use Time::HiRes qw(sleep time);

$| = 1;
my $given = decode_json($ARGV[0]);
my $feature_seconds = 15;

sub say_json { print encode_json({@_}), "\n" }

sub shown { my ($value) = @_; return defined $value ? "'" . substr($value, 0, 60) . "'" : 'nothing' }

sub expect {
    my ($got, $wanted, $what) = @_;
    return if !defined $got && !defined $wanted;
    return if defined $got && defined $wanted && $got eq $wanted;
    die(($what // 'a reply') . ': ' . shown($got) . ', not ' . shown($wanted) . "\n");
}

sub not_in_client { die "NOT IN CLIENT: $_[0]\n" }

sub until_true {
    my ($call) = @_;
    my $deadline = time + 10;
    while (1) {
        my $got = $call->();
        return $got if $got;
        die "nothing true in 10 s\n" if time > $deadline;
        sleep 0.02;
    }
}

sub key { $given->{prefix} . $_[0] }

sub port_for {
    my ($what) = @_;
    return $given->{"${what}_port"} // die "$given->{refused}{$what}\n";
}

sub client {
    my ($port, %more) = @_;
    return Cache::Memcached::Fast->new({
        servers => ["$given->{host}:" . ($port // $given->{port})],
        connect_timeout => 5, io_timeout => 10, compress_threshold => -1, max_size => 16 << 20, max_failures => 0, %more,
    });
}

sub yes_no { $_[0] ? 'yes' : defined $_[0] ? 'no' : 'nothing' }

my %features = (
    connect => sub {
        my $versions = client()->server_versions;
        expect(scalar(keys %$versions), 1, 'version');
    },
    auth => sub {    # as memcached -Y has it: a set of user and password
        my $port = port_for('auth');
        expect(yes_no(client($port)->set(key('auth'), 'out')) eq 'yes' ? 1 : 0, 0, 'set without a password');
        my $m = client($port);
        expect($m->set('login', "$given->{user} $given->{password}"), 1, 'the set that logs in');
        expect($m->set(key('auth'), 'in'), 1, 'set');
        expect($m->get(key('auth')), 'in', 'get');
    },
    get_set => sub {
        my ($m, $k) = (client(), key('k'));
        expect(scalar $m->get($k), undef, 'get of nothing');
        expect($m->set($k, 'one'), 1, 'set');
        expect($m->get($k), 'one', 'get');
        expect(join(',', yes_no($m->delete($k)), yes_no($m->delete($k))), 'yes,no', 'delete');
        $m->set($k, { list => [1, 2] });    # the flags say that it is serialized
        expect($m->get($k)->{list}[1], 2, 'get of a structure');
    },
    add_replace => sub {
        my ($m, $k) = (client(), key('add'));
        expect(join(',', map { yes_no($_) } $m->add($k, 1), $m->add($k, 2)), 'yes,no', 'add');
        expect(join(',', map { yes_no($_) } $m->replace($k, 3), $m->replace("$k-none", 4)), 'yes,no', 'replace');
        expect($m->get($k), 3);
    },
    cas => sub {
        my ($m, $k) = (client(), key('cas'));
        $m->set($k, 1);
        my ($token, $value) = @{ $m->gets($k) };
        expect($value, 1, 'gets');
        expect(join(',', map { yes_no($_) } $m->cas($k, $token, 2), $m->cas($k, $token, 3)), 'yes,no', 'cas');
        expect($m->get($k), 2);
    },
    append => sub {
        my ($m, $k) = (client(), key('append'));
        expect(yes_no($m->append($k, 'x')), 'no', 'append to nothing');
        $m->set($k, 'b');
        expect(join(',', map { yes_no($_) } $m->append($k, 'c'), $m->prepend($k, 'a')), 'yes,yes', 'append, prepend');
        expect($m->get($k), 'abc');
    },
    incr => sub {
        my ($m, $k) = (client(), key('incr'));
        expect(yes_no($m->incr($k, 1)), 'no', 'incr of nothing');
        $m->set($k, 10);
        expect(join(',', $m->incr($k, 5), $m->decr($k, 3), $m->decr($k, 100) + 0), '15,12,0', 'incr, decr');
    },
    touch => sub {
        my ($m, $k) = (client(), key('touch'));
        $m->set($k, 1);
        expect(join(',', map { yes_no($_) } $m->touch($k, 100), $m->touch("$k-none", 100)), 'yes,no', 'touch');
    },
    gat => sub {
        my ($m, $k) = (client(), key('gat'));
        $m->set($k, 1, 100);
        expect($m->gat(100, $k), 1, 'gat');
        my ($token, $value) = @{ $m->gats(100, $k) };
        expect($value, 1, 'gats');
    },
    multi_get => sub {
        my $m = client();
        my @names = map { key("m$_") } 0 .. 999;
        my $stored = $m->set_multi(map { [$_, $_] } @names);
        expect(scalar(grep { $_ } values %$stored), 1000, 'set_multi');
        my $got = $m->get_multi(@names, key('none'));
        expect(scalar(keys %$got), 1000, 'get_multi');
        expect($got->{$_}, $_, 'a value') for @names;
    },
    quiet => sub {
        my $m = client();
        $m->set(key('q' . $_ % 100), $_) for 0 .. 9999;    # in void context it sends noreply
        $m->nowait_push;
        expect($m->get(key("q$_")), 9900 + $_, 'what was set without replies') for 0 .. 99;
    },
    big_values => sub {
        my ($m, $k, $big) = (client(), key('big'), 'big value ' x (4 * 1024 * 102));
        expect($m->set($k, $big), 1, 'set of 4 MiB');
        expect($m->get($k) eq $big ? 1 : 0, 1, 'get of 4 MiB');
        $m->delete($k);
    },
    binary_values => sub {
        my ($m, $k, $bytes) = (client(), key('binary'), join('', map { chr } 0 .. 255));
        expect(yes_no($m->set($k, $bytes)), 'yes', 'set');
        expect(yes_no($m->get($k) eq $bytes), 'yes', 'get');
    },
    expiry => sub {
        my ($m, $k) = (client(), key('expiry'));
        $m->set($k, 1, 1);
        $m->set("${k}2", 1, int(time) + 1000);
        until_true(sub { !defined $m->get($k) });
        expect($m->get("${k}2"), 1, 'what expires at a time of the calendar');
    },
    stats => sub { not_in_client('it has no stats') },
    flush_guard => sub {
        my ($m, $k) = (client(), key('flush'));
        $m->set($k, 1);
        my $got = $m->flush_all;
        expect(scalar(grep { $_ } values %$got), 0, 'flush_all is refused');
        expect($m->get($k), 1, 'get after a refused flush_all');
        my $enabled = client(port_for('flush'));
        $enabled->set($k, 1);
        $got = $enabled->flush_all;
        expect(scalar(grep { $_ } values %$got), 1, 'flush_all where it is enabled');
        expect(scalar $enabled->get($k), undef, 'what was stored before it');
    },
    errors => sub {
        my ($m, $k) = (client(), key('large'));
        expect(yes_no($m->set($k, 'x' x (9 << 20))) eq 'yes' ? 1 : 0, 0, 'set of 9 MiB');
        expect(until_true(sub { $m->set($k, 'text') }), 1, 'set after it');
        expect($m->get($k), 'text');
    },
    reconnect => sub {
        my ($m, $k) = (client(), key('before'));
        $m->set($k, 'kept');
        say_json(restart => JSON::PP::true);
        <STDIN>;
        expect(until_true(sub { $m->get($k) }), 'kept', 'get after the restart');
    },
);

say_json(version => "$Cache::Memcached::Fast::VERSION");
for my $feature (@{ $given->{features} }) {
    say_json(start => $feature);
    my $call = $features{$feature};
    if (!$call) { say_json(feature => $feature, verdict => 'none', reason => ''); next }
    my $done = eval {
        local $SIG{ALRM} = sub { die "no end after $feature_seconds s\n" };
        alarm $feature_seconds;
        $call->();
        alarm 0;
        1;
    };
    my $error = $@;
    alarm 0;
    chomp $error;
    if ($done) { say_json(feature => $feature, verdict => 'yes', reason => '') }
    elsif ($error =~ s/^NOT IN CLIENT: //) { say_json(feature => $feature, verdict => 'none', reason => $error) }
    else { say_json(feature => $feature, verdict => 'no', reason => $error) }
}
