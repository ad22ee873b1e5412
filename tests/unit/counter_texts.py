"""What kernels write, as recorded: the texts that the parsers of counters are tested on."""

# Linux 6.18.
SNMP = b"""\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers \
OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates \
OutTransmits
Ip: 2 64 170930203 0 5 0 0 0 170930198 171523596 900 0 0 0 0 0 0 0 0 171523596
Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps \
InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost \
OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps \
OutTimestampReps OutAddrMasks OutAddrMaskReps
Icmp: 1546747 0 0 1546747 0 0 0 0 0 0 0 0 0 0 1546743 0 0 0 1546743 0 0 0 0 0 0 0 0 0 0
IcmpMsg: InType3 OutType3
IcmpMsg: 1546747 1546743
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs \
RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 2713836 2712015 1309 3968 0 112750793 112747203 3922 0 6001 0
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 50460356 1546743 5395803 60147312 5390958 0 0 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 0 0 0
"""

# Linux 2.6.32: no InCsumErrors, IgnoredMulti or MemErrors, no OutTransmits.
OLD_SNMP = b"""\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers \
OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates
Ip: 1 64 9213 0 0 0 0 0 9200 8120 0 0 0 0 0 0 0 0 0
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs \
RetransSegs InErrs OutRsts
Tcp: 1 200 120000 -1 12 30 0 1 2 7120 6532 4 0 3
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 1100 3 0 1102 0 0
"""

# Linux 6.18, some of the columns of TcpExt and MPTcpExt.
NETSTAT = b"""\
TcpExt: SyncookiesSent PruneCalled RcvPruned DelayedACKs ListenDrops TCPTimeouts TCPAutoCorking TCPMemoryPressuresChrono
TcpExt: 0 73 72 22567 0 518 81554 0
IpExt: InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts InOctets OutOctets InMcastOctets \
OutMcastOctets InBcastOctets OutBcastOctets InCsumErrors InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts ReasmOverlaps
IpExt: 0 0 0 148 0 0 3525807134542 3527095432880 0 5920 0 0 0 170949523 0 0 0 0
MPTcpExt: MPCapableSYNRX MPCapableSYNTX MPCurrEstab
MPTcpExt: 0 0 3
"""

# Linux 6.18.
SNMP6 = b"""\
Ip6InReceives                   \t1482243
Ip6InTooBigErrors               \t0
Ip6InNoECTPkts                  \t1482259
Icmp6InMsgs                     \t36
Icmp6OutType133                 \t55
Udp6RcvbufErrors                \t8986
UdpLite6InDatagrams             \t0
"""

SOCKSTAT = b"""\
sockets: used 20
TCP: inuse 1 orphan 0 tw 0 alloc 7 mem 1169
UDP: inuse 0 mem 70
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 0 memory 0
"""
SOCKSTAT6 = b"TCP6: inuse 0\nUDP6: inuse 2\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n"

# Linux 6.18; CPU 1 of a machine whose CPU 0 is offline; Linux 3.10 with ten columns; Linux 2.6.32 with nine.
SOFTNET = b"""\
23347543 00000007 0000004d 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 \
00000000 00000000
13a4800b 00000000 00000027 00000000 00000000 00000000 00000000 00000000 00000000 00000011 00000002 00000005 00000001 \
00000003 00000002
"""
SOFTNET_ONE_OFFLINE = b"""\
13a4800b 00000000 00000027 00000000 00000000 00000000 00000000 00000000 00000000 00000011 00000002 00000005 00000001
"""
SOFTNET_3_10 = b"0015cb76 00000000 00000010 00000000 00000000 00000000 00000000 00000000 00000000 000000a0\n"
SOFTNET_2_6 = b"0015cb76 00000000 00000010 00000000 00000000 00000000 00000000 00000000 00000000\n"

# Linux 6.18; before 5.9 the columns `found` and others were still counted, in the same form.
CONNTRACK = b"""\
entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  \
expect_new expect_create expect_delete search_restart
0000001f  00000000 00000000 00000000 00000002 00000000 00000000 00000000 00000005 00000001 00000000 00000000 00000000  \
00000000 00000000 00000000 00000000
0000001f  00000000 00000000 00000000 00000001 00000000 00000000 00000000 fffffffe 00000000 00000003 00000000 00000000  \
00000000 00000000 00000000 00000000
"""
ARP_CACHE = b"""\
entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast periodic_gc_runs \
forced_gc_runs unresolved_discards table_fulls
00000006 000015ff 00001125 00000001   0000a906 00000bb0 00000001   00000000         00000000         00000000         \
00000000       00000000            00000000
00000006 00000968 00000e3c 00000002   0000af1f 00000542 0000000f   00000000         00000000         00000921         \
00000000       00000000            00000002
"""

SOFTIRQS = b"""\
                    CPU0       CPU1       \n\
          HI:          0          0
       TIMER:    1370552     999638
      NET_TX:    7425165    1550617
      NET_RX:  532746954  269473962
"""
INTERRUPTS = b"""\
           CPU0       CPU1       \n\
 24:          1          0  IO-APIC   5-edge      ACPI:Ged
 41:       9249          0 PCI-MSIX-0000:00:04.0   1-edge      virtio3-rx
 42:          0      37464 PCI-MSIX-0000:00:04.0   2-edge      virtio3-tx
LOC:   80446520   26219059   Local timer interrupts
CAL:   57754622  112484470   Function call interrupts
ERR:          0
MIS:          0
"""
STAT = b"""\
cpu  855871 158160 833309 4614427 23380 0 374202 24646 0 0
cpu0 342938 58914 471866 2334777 3645 0 244792 11377 0 0
cpu1 512932 99246 361442 2279649 19735 0 129409 13268 0 0
intr 297821825 0 0 0 0 0 0
ctxt 501437519
btime 1763854862
processes 302554
procs_running 3
procs_blocked 0
softirq 816466563 0 2370190 8975782 802220916 1061704 0 3868340 4127946 0 4409391
"""
# A process whose name holds a bracket.
PROCESS_STAT = b"""\
9084 (a b) c) R 8993 8993 17107 0 -1 4194304 101 0 7 0 12 34 0 0 20 0 3 0 3611109 3133440 388 18446744073709551615 1 \
2 3 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 9 9 9 9 9 9 9 0
"""
